import type { Socket } from 'node:net'
import type { WebSocket } from '@fastify/websocket'
import type { Intake, StreamIntake } from './intake.ts'
import type { NodeRates } from './rate.ts'

/** The limits of a stream. */
export interface StreamBounds {
  readonly intake: Intake
  readonly nodeRates: NodeRates
  readonly nodeId: number
}

/** Pause a WebSocket while all streams together hold too much memory, or while its node exceeds its rate. Ends with the connection. */
export function boundStream(
  socket: WebSocket,
  connection: Socket,
  { intake, nodeRates, nodeId }: StreamBounds,
): StreamIntake {
  const reasons = new Set<'full' | 'fast'>()
  let pause: NodeJS.Timeout | undefined

  function hold(reason: 'full' | 'fast'): void {
    reasons.add(reason)
    socket.pause()
  }
  function letOn(reason: 'full' | 'fast'): void {
    reasons.delete(reason)
    if (reasons.size === 0) socket.resume()
  }

  const part = intake.join({
    pause: () => hold('full'),
    resume: () => letOn('full'),
  })
  const onData = (chunk: Buffer): void => {
    const waitMs = nodeRates.take(nodeId, chunk.length)
    if (waitMs > 0) {
      hold('fast')
      clearTimeout(pause)
      pause = setTimeout(() => letOn('fast'), waitMs)
    }
    part.read(chunk.length)
  }
  // This listener runs before the WebSocket's own, so that bytes are counted before their messages.
  connection.prependListener('data', onData)
  socket.once('close', () => {
    clearTimeout(pause)
    connection.off('data', onData)
    part.leave()
  })
  return part
}
