import type { WebSocket } from '@fastify/websocket'

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  /** How long a silent connection lives, in milliseconds. */
  readonly silenceMs: number
  /** After how much silence a ping goes out, in milliseconds; default: a third of it. */
  readonly pingMs?: number
  /** How many bytes have come over the connection beneath: on a slow link one message, and the pong behind it, may take long. */
  readonly bytesRead: () => number
  /** Called when bytes have come, or while the connection is paused; at most twice per `pingMs`. */
  readonly onHeard?: () => void
}

/** Ping the other side and drop the connection when nothing comes of it. Ends with the connection. */
export function watchSilence(socket: WebSocket, options: SilenceOptions): void {
  const { silenceMs, pingMs = silenceMs / 3, bytesRead } = options
  const everyMs = pingMs / 2
  let heardMs = performance.now()
  let readBytes = bytesRead()
  let quietMs = 0
  const timer = setInterval(() => {
    const hasCome = bytesRead() !== readBytes
    readBytes = bytesRead()
    quietMs = hasCome ? 0 : quietMs + everyMs
    // While the connection is paused, the other side cannot be heard. It counts as heard until TCP tells that it is gone, since the pings are not acknowledged.
    if (hasCome || socket.isPaused) {
      heardMs = performance.now()
      options.onHeard?.()
    }
    if (performance.now() - heardMs >= silenceMs) socket.terminate()
    // A connection on which bytes come needs no ping.
    else if (quietMs >= pingMs && socket.readyState === socket.OPEN) socket.ping()
  }, everyMs)
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}
