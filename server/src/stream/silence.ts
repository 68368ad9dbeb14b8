import type { WebSocket } from '@fastify/websocket'

/** Options of {@link watchSilence}. */
export interface SilenceOptions {
  /** How long a silent connection lives, in milliseconds. Pings go out at a third of it. */
  readonly silenceMs: number
  /** Called when something was heard, at most once between two pings. */
  onHeard(): void
}

/** Ping the other side and drop the connection when nothing is heard of it. Ends with the connection. */
export function watchSilence(socket: WebSocket, { silenceMs, onHeard }: SilenceOptions): void {
  let heardMs = performance.now()
  let told = true
  const hear = (): void => {
    heardMs = performance.now()
    if (told) return
    told = true
    onHeard()
  }
  const timer = setInterval(() => {
    told = false
    // A paused connection is not silent: it is we who do not listen.
    if (socket.isPaused) heardMs = performance.now()
    if (performance.now() - heardMs >= silenceMs) socket.terminate()
    else if (socket.readyState === socket.OPEN) socket.ping()
  }, silenceMs / 3)
  for (const event of ['message', 'ping', 'pong']) socket.on(event, hear)
  socket.once('close', () => clearInterval(timer))
}
