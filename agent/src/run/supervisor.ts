import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startedProcess } from '@community-lab/contract/host'
import type { ProgramStart } from '../sliver/program.ts'
import { localSystemCalls } from '../system-calls.ts'

/** What a supervisor is to do. */
export interface Supervision {
  /** The run's folder. */
  readonly folder: string
  readonly runId: string
  /** When the program begins, in milliseconds since the epoch; null: at once. */
  readonly startMs: number | null
  /** After how many milliseconds it is ended; null: never. */
  readonly limitMs: number | null
  readonly maxOutputBytes: number
  /** The sliver's FIFO of samples. */
  readonly fifo: string
  readonly start: ProgramStart
}

/** The program is beside `src` and `dist`, so the same relative path is valid for both. */
const program = fileURLToPath(new URL('../../perl/run.pl', import.meta.url))
/** The exit codes of a supervisor that has found another one, and of one whose program has begun before. */
const isDone = [3, 4]
const startWithinMs = 10_000

/**
 * Start the supervisor of a run. It has its own session and outlives this process. When one runs already, or the program has begun before, nothing happens.
 * @throws Error that says why it cannot be started.
 */
export async function startSupervisor(supervision: Supervision): Promise<void> {
  const child = await startedProcess(
    spawn('perl', [program, ...argumentsOf(supervision)], {
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
  child.unref()
  child.stdout.destroy()
  if (came === 'late') child.kill('SIGKILL')
  if (came === 'ready' || (came !== 'late' && isDone.includes(came))) {
    child.stderr.destroy()
    return
  }
  if (came === 'late') {
    child.stderr.destroy()
    throw new Error(`the supervisor has not begun within ${startWithinMs / 1000} s`)
  }
  if (child.stderr.readable) await once(child.stderr, 'close')
  throw new Error(complaint.trim() === '' ? `perl ended with ${came}` : complaint.trim())
}

function argumentsOf({ start, ...of }: Supervision): readonly string[] {
  const calls = localSystemCalls()
  if (calls === null) throw new Error(`the system calls of ${process.arch} are not known`)
  const us = (ms: number | null): number => Math.round((ms ?? 0) * 1000)
  const numbers = [us(of.startMs), us(of.limitMs), of.maxOutputBytes].map(String)
  const system = [of.fifo, String(calls.clockGettime), String(calls.prctl), start.cgroup ?? '']
  return [of.folder, of.runId, ...numbers, ...system, ...start.procs, '--', ...start.command]
}
