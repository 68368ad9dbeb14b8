/** The media type of errors with our codes (RFC 9457). A client that accepts it gets problem documents, paths as URIs and strict checks; others get CONFINE's API. */
export const problemMediaType = 'application/problem+json'

/**
 * Return the `Accept` header of a client of this project that wants an answer of a type.
 *
 * @param type - a media type, or a list of them
 */
export function acceptOf(type = 'application/json'): string {
  return `${type}, ${problemMediaType}`
}
