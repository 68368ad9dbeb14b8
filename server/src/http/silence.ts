import type { WebSocket } from '@fastify/websocket'

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  /** The silence after which a connection is closed, in milliseconds. */
  readonly silenceMs: number
  /** The silence after which a ping is sent, in milliseconds; default: a third of `silenceMs`. */
  readonly pingMs?: number
  /** Return the number of bytes that the underlying connection has received. On a slow link one message, and the pong after it, may take long. */
  readonly bytesRead: () => number
  /** Called when bytes have come, or while the connection is paused; at most twice per `pingMs`. */
  readonly onHeard?: () => void
}

/**
 * Ping the other side, and close the connection when nothing is received. Ends with the connection. Silence is counted in looks, not by a clock: a machine that stood
 * still, as a suspended one, has not read yet what came meanwhile.
 */
export function watchSilence(socket: WebSocket, options: SilenceOptions): void {
  const { silenceMs, pingMs = silenceMs / 3, bytesRead } = options
  const everyMs = pingMs / 2
  let readBytes = bytesRead()
  let quietMs = 0
  let silentMs = 0
  const timer = setInterval(() => {
    const hasCome = bytesRead() !== readBytes
    readBytes = bytesRead()
    quietMs = hasCome ? 0 : quietMs + everyMs
    silentMs += everyMs
    // While the connection is paused, nothing can be received. Then the other side counts as alive until TCP finds that it does not acknowledge the pings.
    if (hasCome || socket.isPaused) {
      silentMs = 0
      options.onHeard?.()
    }
    if (silentMs >= silenceMs) socket.terminate()
    // A connection on which bytes come needs no ping.
    else if (quietMs >= pingMs && socket.readyState === socket.OPEN) socket.ping()
  }, everyMs)
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}
