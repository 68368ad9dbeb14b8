import { connect, type Socket } from 'node:net'
import { LabError } from '@community-lab/contract'

/** Where a sliver's SSH daemon is. */
export interface SliverPort {
  /** The sliver's id, for errors. */
  readonly sliver: string
  /** Its management address. */
  readonly address: string
  readonly port: number
  /** Ends the attempt. */
  readonly signal: AbortSignal
}

/** How long connecting may take, in milliseconds: after this time the link to the node is taken to be cut. */
const connectWithinMs = 8_000

/**
 * Connect to a sliver's SSH port over the management network. The socket comes paused and with both halves closable apart.
 *
 * @throws {@link LabError} LAB_SLIVER_UNREACHABLE.
 */
export function connectSliverPort({ sliver, address, port, signal }: SliverPort): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true, allowHalfOpen: true, signal })
    socket.pause()
    const timer = setTimeout(
      () => socket.destroy(new Error(`no answer in ${connectWithinMs} ms`)),
      connectWithinMs,
    )
    const fail = (cause: Error): void => {
      clearTimeout(timer)
      const reason = 'code' in cause ? String(cause.code) : cause.message
      reject(new LabError('LAB_SLIVER_UNREACHABLE', { sliver, address, reason }, { cause }))
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      // An error that nobody listens for would end the process. Whoever takes the socket next learns of the error by its `close` event.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
