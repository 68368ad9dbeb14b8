import { LabError } from '@community-lab/contract'
import { orAborted, sleep } from '../wait/signal.ts'
import type { Lease } from './connections.ts'
import { NotStarted, sendSignal, type StartedCommand } from './connection.ts'
import type { SshPool, SshTarget } from './pool.ts'

/** A command to start, in the words of the sliver's shell. */
export interface StartOptions {
  readonly command: string
  readonly signal: AbortSignal
}

/** A command that has started, and the connection that carries it. */
export interface Started {
  readonly lease: Lease
  readonly started: StartedCommand
}

/** How long a command that the sliver's SSH server refuses is tried again, in milliseconds. */
const refusalPatienceMs = 10_000
const refusalPauseMs = 100
/** How long a command that was told to end may take before its connection is closed. */
const hangUpMs = 2_000

/**
 * Start a command on a sliver. What certainly did not run is tried again: once when its connection was gone, and for ten seconds when the sliver's SSH server refuses to
 * start it, as it does while the sliver has no process left.
 *
 * @throws {@link LabError} LAB_COMMAND_NOT_STARTED when it still refuses then; LAB_COMMAND_LOST when the connection broke and the command may have run.
 * @throws the signal's reason.
 */
export async function startCommand(
  pool: SshPool,
  target: SshTarget,
  options: StartOptions,
): Promise<Started> {
  const since = performance.now()
  for (let broken = 0; ;) {
    const lease = await pool.lease(target, options.signal)
    try {
      return { lease, started: await startOn(lease, target, options) }
    } catch (error) {
      if (!(error instanceof NotStarted)) throw error
      if (!lease.connection.open) {
        broken += 1
        if (broken > 1) throw error
        continue
      }
      const { id: sliver, node } = target
      const details = { sliver, node, running: lease.others }
      if (performance.now() - since > refusalPatienceMs)
        throw new LabError('LAB_COMMAND_NOT_STARTED', details, { cause: error })
    }
    await sleep(refusalPauseMs, options.signal)
  }
}

/** End a command that nobody waits for any more. Its connection is free for others when the sliver says that it has ended; if it does not, it is closed. */
export function hangUp(lease: Lease, { channel }: StartedCommand): void {
  // Hanging up ends a command only if it minds; what must be ended says so with a signal first.
  sendSignal(channel, 'TERM')
  channel.close()
  setTimeout(() => lease.end(false), hangUpMs).unref()
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
    // A refusal that names nothing sent arrives by itself, and first.
    queueMicrotask(() => lost.reject(new LabError('LAB_COMMAND_LOST', { sliver, node, reason })))
  })
  try {
    const started = await orAborted(Promise.race([starting, lost.promise]), signal)
    started.channel.once('close', () => lease.end(true))
    return started
  } catch (error) {
    if (signal.aborted)
      starting.then(
        (started) => hangUp(lease, started),
        () => lease.end(false),
      )
    // Nothing runs on a connection whose command was refused.
    else lease.end(error instanceof NotStarted)
    throw error
  } finally {
    stop()
  }
}
