import { LabError } from '@community-lab/contract'
import { runCommand } from './command.ts'
import {
  isAlive,
  kill,
  countMembers,
  pollUntil,
  stateOf,
  waitForEnd,
  type ProcessIdentity,
} from './process.ts'
import { holdNamespace } from './namespace.ts'

/** Options of {@link terminate}. */
export interface TerminateOptions {
  /** The id of the sliver, for errors. */
  readonly sliver: string
  /** The time that its programs have to end after SIGTERM, in milliseconds. */
  readonly graceMs: number
  /** Ends the grace period at once. The kill follows anyway, because a sliver that is partly stopped is useless. */
  readonly signal: AbortSignal
  /**
   * Aborted when this process is about to end. Then it waits at most a second after the kill. A process that waits for a device ends when the device answers,
   * with or without an agent.
   */
  readonly ending: AbortSignal
}

/** The longest time until the kernel has ended a killed process, in milliseconds. It takes longer only for a process that waits for a device (state D). */
const killWithinMs = 5_000
/** The same for an agent that is about to end. Without any wait, a stopped sliver would be recorded as one that has ended by itself. */
const endingWithinMs = 1_000

/**
 * End the processes of a PID namespace, which is given by its first process: send SIGTERM to all others, wait for a grace period in which they may save data,
 * then send SIGKILL to the first. With the first process, the kernel ends all others.
 *
 * @throws {@link LabError} LAB_SLIVER_STUCK when the kernel has not ended it after 5 s; the reason of `ending` when that is aborted earlier.
 */
export async function terminate(
  first: ProcessIdentity,
  { sliver, graceMs, signal, ending }: TerminateOptions,
): Promise<void> {
  if (!isAlive(first)) return
  if (graceMs > 0 && !signal.aborted && (await hasOthers(first)))
    await askToEnd(first, {
      sliver,
      signal: AbortSignal.any([signal, AbortSignal.timeout(graceMs)]),
    })
  kill(first)
  try {
    await waitForEnd(first, AbortSignal.any([ending, AbortSignal.timeout(killWithinMs)])).catch(
      async (error: unknown) => {
        if (!ending.aborted) throw error
        await waitForEnd(first, AbortSignal.timeout(endingWithinMs))
      },
    )
  } catch (error) {
    ending.throwIfAborted()
    const state = stateOf(first.pid)
    if (state === null) return
    const details = { sliver, pid: first.pid, state, waitedMs: killWithinMs }
    throw new LabError('LAB_SLIVER_STUCK', details, { cause: error })
  }
}

/** Send SIGTERM to all processes but the first, and wait until they have ended or the signal is aborted. */
async function askToEnd(
  first: ProcessIdentity,
  { sliver, signal }: { readonly sliver: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    // In the namespace, -1 means all processes except the first and the sender. The namespace is held open, so that its path cannot refer to another one later.
    await using namespace = await holdNamespace(first, 'pid', sliver)
    const all = ['sh', '-c', 'kill -TERM -1']
    await runCommand(['nsenter', `--pid=${namespace.path}`, '--', ...all], { signal })
    await pollUntil(async () => !isAlive(first) || !(await hasOthers(first)), {
      pace: 'slow',
      signal,
    })
  } catch {
    // The grace period is over, or the first process has ended. The remaining processes are killed next.
  }
}

async function hasOthers(first: ProcessIdentity): Promise<boolean> {
  return (await countMembers(first)) > 1
}
