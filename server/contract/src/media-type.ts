/** The media type of errors with our codes (RFC 9457). A client that accepts it gets problem documents, paths as URIs and strict checks; others get CONFINE's API. */
export const problemMediaType = 'application/problem+json'

/** The media type of server-sent events. CONFINE has none, so a client that accepts it is one of this project. */
export const eventsMediaType = 'text/event-stream'

/**
 * Return the `Accept` header of a client of this project that wants an answer of a type.
 *
 * JupyterLab's proxy passes on an answer as it comes only where the header is exactly the type of events; any other answer it passes on when it has ended.
 * Source: jupyter-server-proxy 4.6, handlers.py.
 *
 * @param type - a media type, or a list of them
 */
export function acceptOf(type = 'application/json'): string {
  return type === eventsMediaType ? type : `${type}, ${problemMediaType}`
}
