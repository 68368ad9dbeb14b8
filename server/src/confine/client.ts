import { eventsMediaType, problemMediaType } from '@community-lab/contract'
import type { IncomingHttpHeaders } from 'node:http'

/**
 * Tell whether a request comes from a client of CONFINE's API. Clients of this project say that they read problem documents. WebSockets and events are theirs,
 * too: CONFINE has none.
 */
export function isConfineClient({ headers }: { readonly headers: IncomingHttpHeaders }): boolean {
  const { accept = '', upgrade } = headers
  if (upgrade !== undefined) return false
  const wanted = accept.toLowerCase()
  return !wanted.includes(problemMediaType) && !wanted.includes(eventsMediaType)
}
