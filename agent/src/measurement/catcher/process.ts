import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runEndMeasurement } from '@community-lab/contract'
import { isAbsent, isProcessGone } from '../../errno.ts'
import { startedProcess } from '@community-lab/contract/host'
import { localSystemCalls } from '../../system-calls.ts'
import type { Rate } from '../domain/rate.ts'

/** Options of {@link startCatcher}. */
export interface CatcherOptions {
  /** The folder of the catcher, for it alone. */
  readonly dir: string
  /** The most bytes of a segment of data or index. */
  readonly segmentBytes: number
  /** The most bytes of all segments of one sliver together. */
  readonly maxBytes: number
  /** How many bytes one sliver may write. */
  readonly byteRate: Rate
}

/** A catcher that runs, started by this agent or by one before. */
export interface CatcherProcess {
  readonly pid: number
  /** Settles when it has ended. */
  readonly ended: Promise<void>
}

/** Beside `src` and `dist`, so that it is found from both. */
const program = fileURLToPath(new URL('../../../perl/catcher.pl', import.meta.url))
/** The exit code of a catcher that found another one at work. */
const alreadyCaught = 3
const pollMs = 500
const startWithinMs = 10_000
const endWithinMs = 5_000

/**
 * Start the catcher, or find the one that runs already. It has a session of its own and outlives this process.
 * @throws Error that says why it cannot be started.
 */
export async function startCatcher(
  options: CatcherOptions,
  signal: AbortSignal,
): Promise<CatcherProcess> {
  const child = await startedProcess(
    spawn('perl', [program, ...argumentsOf(options)], {
      cwd: '/',
      detached: true,
      // Without it, perl warns of locales that are not installed.
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()))
  const exited = once(child, 'exit').then(([code]) => Number(code))
  const timeout = new AbortController()
  const late = delay(startWithinMs, 'late' as const, { signal: timeout.signal })
  const ready = once(child.stdout, 'data').then(() => 'ready' as const)
  const came = await Promise.race([ready, exited, late]).finally(() => {
    timeout.abort()
    late.catch(() => undefined)
  })
  child.stdout.destroy()
  child.unref()
  // One that has nothing to catch ends right after it has begun, and its end may be heard of first.
  if ((came === 'ready' || came === 0) && child.pid !== undefined) {
    child.stderr.destroy()
    return { pid: child.pid, ended: exited.then(() => undefined) }
  }
  if (came === 'late') {
    child.stderr.destroy()
    child.kill('SIGKILL')
    throw new Error(`the catcher has not begun within ${startWithinMs / 1000} s`)
  }
  const found = came === alreadyCaught ? findCatcher(options.dir, signal) : null
  if (found !== null) return found
  if (child.stderr.readable) await once(child.stderr, 'close')
  throw new Error(complaint.trim() === '' ? `perl ended with ${String(came)}` : complaint.trim())
}

function argumentsOf({ dir, segmentBytes, maxBytes, byteRate }: CatcherOptions): readonly string[] {
  const calls = localSystemCalls()
  if (calls === null) throw new Error(`the system calls of ${process.arch} are not known`)
  const { perSecond, burst } = byteRate
  const numbers = [segmentBytes, maxBytes, perSecond, burst, calls.splice, calls.clockGettime]
  return [dir, runEndMeasurement, ...numbers.map(String)]
}

/**
 * Find the catcher that runs on a folder; null when none does.
 * @throws what keeps this from being known, such as too many open files.
 */
export function findCatcher(dir: string, signal: AbortSignal): CatcherProcess | null {
  try {
    const pid = Number(readFileSync(join(dir, 'lock'), 'utf8'))
    return isCatcher(pid, dir) ? { pid, ended: waitForEnd(pid, dir, signal) } : null
  } catch (error) {
    // None has ever run.
    if (isAbsent(error)) return null
    throw error
  }
}

/**
 * Let a catcher empty its FIFOs and end; kill it when that takes too long.
 * @throws Error when it has not ended then either.
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

/** Wait for the end of a process that is not our child. No event tells of it, so it is polled. */
async function waitForEnd(pid: number, dir: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && mayRun(pid, dir))
    await delay(pollMs, undefined, { signal, ref: false }).catch(() => {
      // Nobody wants to know any more.
    })
}

function mayRun(pid: number, dir: string): boolean {
  try {
    return isCatcher(pid, dir)
  } catch {
    // It cannot be known now, which does not say that it has ended.
    return true
  }
}

/**
 * Tell whether a process is the catcher of a folder, and has not ended.
 * @throws what keeps this from being known, such as too many open files.
 */
export function isCatcher(pid: number, dir: string): boolean {
  try {
    // Looked at first: reading the command line of a process that waits for a device may never end, and the pid may be another's by now.
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'perl') return false
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dir)
  } catch (error) {
    if (isProcessGone(error)) return false
    throw error
  }
}
