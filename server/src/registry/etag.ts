import { createHash } from 'node:crypto'
import { LabError } from '@community-lab/contract'

/**
 * Return the ETag of an object or a list. It is weak: a new contact of a node (`last_seen_on`) does not change it. Otherwise every reader would fetch
 * everything again and again, and no conditional change would succeed.
 */
export function etagOf(body: unknown): string {
  return etagOfText(JSON.stringify(body))
}

/** Return the ETag of a JSON text, as {@link etagOf}. */
export function etagOfText(json: string): string {
  // In a JSON text a quote before a colon ends a member's name. Quotes in the texts of others are escaped. This takes a tenth of the time of a replacer.
  const text = json.replaceAll(/"last_seen_on":"[^"]*"/gu, '"last_seen_on":null')
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** Tell whether a header (If-None-Match, If-Match) contains an ETag, by weak comparison. Source: RFC 9110, 8.8.3.2. */
export function namesEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  const bare = (text: string) => text.trim().replace(/^W\//u, '')
  return header.split(',').some((each) => bare(each) === bare(etag))
}

/**
 * Check the condition of a change of an object; null: there is none.
 *
 * @throws {@link LabError} LAB_REQUEST_PRECONDITION_FAILED.
 */
export function checkIfMatch(ifMatch: string | null, object: { readonly uri: string }): void {
  if (ifMatch !== null && !namesEtag(ifMatch, etagOf(object)))
    throw new LabError('LAB_REQUEST_PRECONDITION_FAILED', { uri: object.uri })
}
