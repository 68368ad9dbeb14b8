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

/** How a sliver's processes are ended. */
export interface TerminateOptions {
  /** The sliver, for errors. */
  readonly sliver: string
  /** How long its programs may take to end after SIGTERM, in milliseconds. */
  readonly graceMs: number
  /** Ends the grace period at once. The kill is not left out: a sliver that is half-stopped would be of no use. */
  readonly signal: AbortSignal
  /** Aborted when this process is to end: then it waits a second at most after the kill. What waits for a device ends when that answers, with or without an agent. */
  readonly ending: AbortSignal
}

/** How long the kernel may take to end what was killed, in milliseconds. It takes longer only for a process that waits for a device (state D). */
const killWithinMs = 5_000
/** The same for an agent that is to end. With nothing waited for, a sliver that was stopped as asked would count as one that has ended by itself. */
const endingWithinMs = 1_000

/**
 * End the processes of a PID namespace by its first process: SIGTERM to all others, a grace period in which they may write down what they have, then SIGKILL
 * to the first, with which the kernel ends what is left.
 *
 * @throws {@link LabError} LAB_SLIVER_STUCK when the kernel has not ended it after 5 s; the reason of `ending` when that is aborted before.
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

/** Send SIGTERM to all but the first process, and wait until they have ended or the signal ends the wait. */
async function askToEnd(
  first: ProcessIdentity,
  { sliver, signal }: { readonly sliver: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    // In the namespace -1 means all of it but the first process and the sender. The namespace is held, so that it is never another one's.
    await using namespace = await holdNamespace(first, 'pid', sliver)
    const all = ['sh', '-c', 'kill -TERM -1']
    await runCommand(['nsenter', `--pid=${namespace.path}`, '--', ...all], { signal })
    await pollUntil(async () => !isAlive(first) || !(await hasOthers(first)), {
      pace: 'slow',
      signal,
    })
  } catch {
    // The grace period is over, or it ended meanwhile. What is left is killed.
  }
}

async function hasOthers(first: ProcessIdentity): Promise<boolean> {
  return (await countMembers(first)) > 1
}
