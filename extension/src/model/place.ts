/** Where the panel's testbed is. */
export interface Place {
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** Empty: none. */
  readonly token: string
}

/**
 * The place that settings name. A token belongs to one server, and is sent to no other: whoever changes the address would tell the new server the old one's.
 */
export function placeOf(
  { serverUrl, tokens }: { readonly serverUrl?: unknown; readonly tokens?: unknown },
  defaultBaseUrl: string,
): Place {
  const given = typeof serverUrl === 'string' ? withoutSlash(serverUrl) : ''
  const baseUrl = given === '' ? defaultBaseUrl : given
  const all = typeof tokens === 'object' && tokens !== null ? Object.entries(tokens) : []
  const own: unknown = all.find(([url]) => withoutSlash(url) === given)?.[1]
  return { baseUrl, token: given !== '' && typeof own === 'string' ? own.trim() : '' }
}

function withoutSlash(url: string): string {
  return url.trim().replace(/\/+$/u, '')
}
