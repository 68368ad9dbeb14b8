import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { LabError, path, routes } from '@community-lab/contract'
import { createWebSocketStream, WebSocket } from 'ws'
import { describeCause, refusal } from '../http/client.ts'
import { orAborted } from '../wait/signal.ts'

/** Where a tunnel goes. */
export interface TunnelOptions {
  /** Base URL of the server. */
  readonly url: string
  readonly sliverId: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const handshakeTimeoutMs = 15_000

/**
 * Open a stream of bytes to a sliver's SSH port, through the server.
 *
 * @throws {@link LabError} what the server refuses it with (LAB_SLIVER_NOT_STARTED, LAB_SLIVER_UNREACHABLE, …); LAB_CONNECTION_FAILED.
 */
export async function openTunnel(options: TunnelOptions): Promise<Duplex> {
  const url = new URL(options.url + path(routes.sliverSsh, { id: options.sliverId }))
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: options.headers,
    perMessageDeflate: false,
    handshakeTimeout: handshakeTimeoutMs,
  })
  // The stream is made at once, because the first bytes of a sliver nearby arrive in one packet with the answer to the upgrade.
  const stream = createWebSocketStream(socket)
  const opened = Promise.withResolvers<null>()
  socket.once('unexpected-response', (request, response) => {
    const statusCode = response.statusCode ?? 0
    text(response)
      .then((body) => opened.reject(refusal(url.href, { statusCode }, body)))
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

/** Closing a connection that was never made emits an error; the reason was thrown already. */
function ignoreAfterFailure(): void {
  return
}
