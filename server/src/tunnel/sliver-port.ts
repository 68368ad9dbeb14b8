import { connect, type Socket } from 'node:net'
import { LabError } from '@community-lab/contract'

/** The address of a sliver's SSH daemon. */
export interface SliverPort {
  /** The sliver's id, for errors. */
  readonly sliver: string
  /** The management address of the sliver. */
  readonly address: string
  readonly port: number
  /** Cancels the attempt. */
  readonly signal: AbortSignal
}

/** The most time for connecting, in milliseconds. After it the link to the node counts as cut. */
const connectWithinMs = 8_000

/**
 * Connect to a sliver's SSH port over the management network. The returned socket is paused, and each of its halves can be closed separately.
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
      // An error without a listener would end the process. The next user of the socket learns of the error by its `close` event.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
