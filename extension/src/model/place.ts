/** The address of the panel's testbed, and a token for it. */
export interface Place {
  /** Without a trailing slash. */
  readonly baseUrl: string
  /** Empty: no token is sent. */
  readonly token: string
}

/**
 * Read the place from the settings. A token is only used for the address that is set with it: otherwise a change of the address would send the old server's
 * token to the new server.
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
