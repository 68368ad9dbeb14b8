import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { LabError, path, refusalOf, routes } from '@community-lab/contract'
import { createWebSocketStream, WebSocket } from 'ws'
import { describeCause } from '../http/client.ts'
import { orAborted } from '../wait/signal.ts'

/** The destination of a tunnel. */
export interface TunnelOptions {
  /** The base URL of the server. */
  readonly url: string
  readonly sliverId: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const handshakeTimeoutMs = 15_000

/**
 * Open a byte stream to the SSH port of a sliver, through the server.
 *
 * @throws {@link LabError} the server's refusal (LAB_SLIVER_NOT_STARTED, LAB_SLIVER_UNREACHABLE, …); LAB_CONNECTION_FAILED.
 */
export async function openTunnel(options: TunnelOptions): Promise<Duplex> {
  const url = new URL(options.url + path(routes.sliverSsh, { id: options.sliverId }))
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: options.headers,
    perMessageDeflate: false,
    handshakeTimeout: handshakeTimeoutMs,
  })
  // Create the stream at once: the first bytes of a nearby sliver may arrive in the same packet as the answer to the upgrade.
  const stream = createWebSocketStream(socket)
  const opened = Promise.withResolvers<null>()
  socket.once('unexpected-response', (request, response) => {
    const status = response.statusCode ?? 0
    text(response)
      .then((body) => opened.reject(refusalOf({ url: url.href, status, body })))
      .catch(opened.reject)
      .finally(() => request.destroy())
  })
  socket.once('error', (cause) => {
    const reason = describeCause(cause)
    const details = { url: url.href, reason, attempts: 1 }
    opened.reject(new LabError('LAB_CONNECTION_FAILED', details, { cause }))
  })
  socket.once('open', () => opened.resolve(null))
  try {
    await orAborted(opened.promise, options.signal)
  } catch (error) {
    stream.on('error', ignoreAfterFailure)
    socket.on('error', ignoreAfterFailure).terminate()
    throw error
  }
  return stream
}

/** Closing a connection that was never opened emits an error. Its reason was thrown already. */
function ignoreAfterFailure(): void {
  return
}
