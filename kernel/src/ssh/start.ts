import { LabError } from '@community-lab/contract'
import { orAborted, sleep } from '../wait/signal.ts'
import type { Lease } from './connections.ts'
import { NotStarted, type StartedCommand } from './connection.ts'
import { hangUp } from './hang-up.ts'
import type { SshPool, SshTarget } from './pool.ts'

/** A command to start, as a line of shell. */
export interface StartOptions {
  readonly command: string
  readonly signal: AbortSignal
}

/** A command that has started, and the connection that it uses. The caller returns the connection when the command has ended. */
export interface Started {
  readonly lease: Lease
  readonly started: StartedCommand
}

/** How many times a command is tried on a sliver that refuses it although none of our other commands runs there. */
const lonelyAttempts = 3
const refusalPauseMs = 100

/**
 * Start a command on a sliver. A command that certainly did not run is tried again: once when its connection was gone; and while other commands end there, when
 * the sliver's SSH server refuses to start it, which it does when the sliver has no process left.
 *
 * @throws {@link LabError} LAB_COMMAND_NOT_STARTED when it still refuses; LAB_COMMAND_LOST when the connection broke and the command may have run.
 * @throws the signal's reason.
 */
export async function startCommand(
  pool: SshPool,
  target: SshTarget,
  options: StartOptions,
): Promise<Started> {
  const { signal } = options
  const since = performance.now()
  for (let broken = 0, lonely = 0; ;) {
    const lease = await pool.lease(target, { signal, since })
    try {
      return { lease, started: await startOn(lease, target, options) }
    } catch (error) {
      if (!(error instanceof NotStarted)) throw error
      if (error.isRefusal) {
        const { id: sliver, node } = target
        const details = { sliver, node, running: lease.others }
        if (lease.others === 0) lonely += 1
        if (lonely >= lonelyAttempts)
          throw new LabError('LAB_COMMAND_NOT_STARTED', details, { cause: error })
      } else {
        broken += 1
        if (broken > 1) throw error
        continue
      }
    }
    await sleep(refusalPauseMs, options.signal)
  }
}

async function startOn(
  lease: Lease,
  { id: sliver, node }: SshTarget,
  { command, signal }: StartOptions,
): Promise<StartedCommand> {
  const { connection } = lease
  const lost = Promise.withResolvers<never>()
  const starting = connection.exec(command)
  const stop = connection.onEnd((reason) => {
    // If it is certain that nothing was sent, `starting` rejects in the current turn of the event loop with a more precise error. Let that one come first.
    queueMicrotask(() => lost.reject(new LabError('LAB_COMMAND_LOST', { sliver, node, reason })))
  })
  try {
    return await orAborted(Promise.race([starting, lost.promise]), signal)
  } catch (error) {
    if (signal.aborted)
      starting.then(
        (started) => hangUp(lease, started),
        () => lease.end('lost'),
      )
    else lease.end(error instanceof NotStarted && error.isRefusal ? 'refused' : 'lost')
    throw error
  } finally {
    stop()
  }
}
