import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isAbsent, isProcessGone } from '../../errno.ts'
import { startPerl } from '../../perl.ts'
import { localSystemCalls } from '../../system-calls.ts'
import type { Rate } from '../domain/rate.ts'

/** Options of {@link startCatcher}. */
export interface CatcherOptions {
  /** The folder of the catcher, for it alone. */
  readonly dir: string
  /** The most bytes of a segment's data or index. */
  readonly segmentBytes: number
  /** The most bytes of all segments of one sliver together. */
  readonly maxBytes: number
  /** The rate at which one sliver may write, in bytes. */
  readonly byteRate: Rate
}

/** A running catcher, which this agent or an earlier one has started. */
export interface CatcherProcess {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
}

/** The program is beside `src` and `dist`, so the same relative path is valid for both. */
const program = fileURLToPath(new URL('../../../perl/catcher.pl', import.meta.url))
/** The exit code of a catcher that has found another one running. */
const alreadyCaught = 3
const pollMs = 500
const endWithinMs = 5_000

/**
 * Start the catcher, or find the running one. It has its own session and outlives this process.
 * @throws Error that says why it cannot be started.
 */
export async function startCatcher(
  options: CatcherOptions,
  signal: AbortSignal,
): Promise<CatcherProcess> {
  const { pid, came, exited, readError } = await startPerl('catcher', program, argumentsOf(options))
  // A catcher that has nothing to catch ends right after its start, and the event of its end may come first.
  if (came === 'ready' || came === 0) return { pid, ended: exited.then(() => undefined) }
  const found = came === alreadyCaught ? findCatcher(options.dir, signal) : null
  if (found !== null) return found
  throw await readError()
}

function argumentsOf({ dir, segmentBytes, maxBytes, byteRate }: CatcherOptions): readonly string[] {
  const calls = localSystemCalls()
  if (calls === null) throw new Error(`the system calls of ${process.arch} are not known`)
  const { perSecond, burst } = byteRate
  const numbers = [segmentBytes, maxBytes, perSecond, burst, calls.splice, calls.clockGettime]
  return [dir, ...numbers.map(String)]
}

/**
 * Find the running catcher of a folder; null when there is none.
 * @throws an error that prevents the answer, such as too many open files.
 */
export function findCatcher(dir: string, signal: AbortSignal): CatcherProcess | null {
  try {
    const pid = Number(readFileSync(join(dir, 'lock'), 'utf8'))
    return isCatcher(pid, dir) ? { pid, ended: waitForEnd(pid, dir, signal) } : null
  } catch (error) {
    // No catcher has ever run.
    if (isAbsent(error)) return null
    throw error
  }
}

/**
 * Let a catcher empty its FIFOs and end. Kill it when that takes too long.
 * @throws Error when it does not end even then.
 */
export async function endCatcher({ pid, ended }: CatcherProcess, dir: string): Promise<void> {
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    if (isCatcher(pid, dir)) process.kill(pid, name)
    const timeout = new AbortController()
    const late = delay(endWithinMs, 'late', { signal: timeout.signal }).catch(() => 'in time')
    const came = await Promise.race([ended, late])
    timeout.abort()
    if (came !== 'late') return
  }
  throw new Error(`the catcher from before (process ${pid}) does not end`)
}

/** Wait for the end of a process that is not a child of this one. There is no event for it, so it is polled. */
async function waitForEnd(pid: number, dir: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && mayRun(pid, dir))
    await delay(pollMs, undefined, { signal, ref: false }).catch(() => {
      // Nobody waits for it any more.
    })
}

function mayRun(pid: number, dir: string): boolean {
  try {
    return isCatcher(pid, dir)
  } catch {
    // The answer is unknown for now, which does not mean that the process has ended.
    return true
  }
}

/**
 * Tell whether a process is the catcher of a folder, and has not ended.
 * @throws an error that prevents the answer, such as too many open files.
 */
export function isCatcher(pid: number, dir: string): boolean {
  try {
    // The name is checked first, because the pid may have been reused: reading the command line of a process that waits for a device may never return.
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'perl') return false
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dir)
  } catch (error) {
    if (isProcessGone(error)) return false
    throw error
  }
}
