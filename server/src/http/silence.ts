import type { WebSocket } from '@fastify/websocket'

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  /** How long a silent connection lives, in milliseconds. When nothing has come for a third of it, a ping goes out. */
  readonly silenceMs: number
  /** How many bytes have come over the connection beneath: on a slow link one message, and the pong behind it, may take long. */
  readonly bytesRead: () => number
  /** Called when something has come, at most every third of that time. */
  readonly onHeard?: () => void
}

/** Ping the other side and drop the connection when nothing comes of it. Ends with the connection. */
export function watchSilence(socket: WebSocket, options: SilenceOptions): void {
  const { silenceMs, bytesRead } = options
  let heardMs = performance.now()
  let readBytes = bytesRead()
  const timer = setInterval(() => {
    const hasCome = bytesRead() !== readBytes
    readBytes = bytesRead()
    if (hasCome) options.onHeard?.()
    // A paused connection is not silent: it is we who do not listen.
    if (hasCome || socket.isPaused) heardMs = performance.now()
    if (performance.now() - heardMs >= silenceMs) socket.terminate()
    // Agents ping by themselves: who is heard needs no ping.
    else if (!hasCome && socket.readyState === socket.OPEN) socket.ping()
  }, silenceMs / 3)
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}
