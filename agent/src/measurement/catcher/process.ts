import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from '@community-lab/contract'
import { alreadyCaught, catcherArguments, type CatcherProgramOptions } from './program.ts'

/** A catcher that runs, started by this agent or by one before. */
export interface CatcherProcess {
  readonly pid: number
  /** Settles when it has ended. */
  readonly ended: Promise<void>
}

const pollMs = 500
const endWithinMs = 5_000

/**
 * Start a sliver's catcher, or find the one that runs already. It has a session of its own and outlives this process.
 * @throws {@link LabError} LAB_AGENT_CATCHER_FAILED.
 */
export async function startCatcher(
  options: CatcherProgramOptions,
  signal: AbortSignal,
): Promise<CatcherProcess> {
  const { sliver, dir } = options
  const program = catcherArguments(options)
  const child = spawn('perl', program, {
    cwd: '/',
    detached: true,
    // Without it, perl warns of locales that are not installed.
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()))
  const exited = once(child, 'exit').then(
    ([code]) => Number(code),
    (error: unknown) => error,
  )
  const ready = await Promise.race([once(child.stdout, 'data').then(() => 'ready'), exited])
  child.stdout.destroy()
  child.unref()
  if (ready === 'ready' && child.pid !== undefined) {
    child.stderr.destroy()
    return { pid: child.pid, ended: exited.then(() => undefined) }
  }
  const found = ready === alreadyCaught ? findCatcher(dir, signal) : null
  if (found !== null) return found
  if (child.stderr.readable) await once(child.stderr, 'close')
  const reason = ready instanceof Error ? ready.message : complaint.trim()
  throw new LabError('LAB_AGENT_CATCHER_FAILED', {
    sliver,
    reason: reason === '' ? `perl ended with ${String(ready)}` : reason,
  })
}

/** Find the catcher that runs on a folder; null when none does. */
export function findCatcher(dir: string, signal: AbortSignal): CatcherProcess | null {
  try {
    const pid = Number(readFileSync(join(dir, 'lock'), 'utf8'))
    return isCatcher(pid, dir) ? { pid, ended: waitForEnd(pid, dir, signal) } : null
  } catch {
    // None has ever run.
    return null
  }
}

/** Let a catcher empty its FIFO and end. */
export async function endCatcher({ pid, ended }: CatcherProcess, dir: string): Promise<void> {
  if (isCatcher(pid, dir)) process.kill(pid, 'SIGTERM')
  const timeout = new AbortController()
  const late = delay(endWithinMs, 'late', { signal: timeout.signal }).catch(() => 'in time')
  if ((await Promise.race([ended, late])) === 'late' && isCatcher(pid, dir))
    process.kill(pid, 'SIGKILL')
  timeout.abort()
  await ended
}

/** One that is not our child tells nobody of its end: look. */
async function waitForEnd(pid: number, dir: string, signal: AbortSignal): Promise<void> {
  while (isCatcher(pid, dir) && !signal.aborted)
    await delay(pollMs, undefined, { signal, ref: false }).catch(() => {
      // Nobody wants to know any more.
    })
}

/** Tell whether a process is the catcher of a folder, and has not ended. */
export function isCatcher(pid: number, dir: string): boolean {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
      .split('\0')
      .includes(dir)
  } catch {
    // It has ended.
    return false
  }
}
