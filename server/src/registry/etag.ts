import { createHash } from 'node:crypto'
import { LabError } from '@community-lab/contract'

/**
 * The ETag of an object or a list. It is weak: that a node was heard of (`last_seen_on`) does not change it. Otherwise every reader would fetch
 * everything again and again, and no change could be made on condition.
 */
export function etagOf(body: unknown): string {
  const text = JSON.stringify(body, (key, value: unknown) =>
    key === 'last_seen_on' ? null : value,
  )
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** Tell whether a header (If-None-Match, If-Match) names an ETag, weakly compared. Source: RFC 9110, 8.8.3.2. */
export function namesEtag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  const bare = (text: string) => text.trim().replace(/^W\//u, '')
  return header.split(',').some((each) => bare(each) === bare(etag))
}

/**
 * Check a condition on an object that is about to be changed; null: there is none.
 *
 * @throws {@link LabError} LAB_REQUEST_PRECONDITION_FAILED.
 */
export function checkIfMatch(ifMatch: string | null, object: { readonly uri: string }): void {
  if (ifMatch !== null && !namesEtag(ifMatch, etagOf(object)))
    throw new LabError('LAB_REQUEST_PRECONDITION_FAILED', { uri: object.uri })
}
