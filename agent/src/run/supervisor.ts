import { fileURLToPath } from 'node:url'
import { startPerl } from '../perl.ts'
import type { ProgramStart } from '../sliver/program.ts'
import { localSystemCalls } from '../system-calls.ts'

/** What a supervisor is to do. */
export interface Supervision {
  /** The run's folder. */
  readonly folder: string
  /** When the program begins, in milliseconds since the epoch; null: at once. It is by the host's wall clock where `StartTime` has told nothing. */
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

/**
 * Start the supervisor of a run. It has its own session and outlives this process. When one runs already, or the program has begun before, nothing happens.
 * @throws Error that says why it cannot be started.
 */
export async function startSupervisor(supervision: Supervision): Promise<void> {
  const { came, readError } = await startPerl('supervisor', program, argumentsOf(supervision))
  if (came !== 'ready' && !isDone.includes(came)) throw await readError()
}

function argumentsOf({ start, ...of }: Supervision): readonly string[] {
  const calls = localSystemCalls()
  if (calls === null) throw new Error(`the system calls of ${process.arch} are not known`)
  const us = (ms: number | null): number => Math.round((ms ?? 0) * 1000)
  const numbers = [us(of.startMs), us(of.limitMs), of.maxOutputBytes].map(String)
  const system = [of.fifo, String(calls.clockGettime), String(calls.prctl), start.cgroup ?? '']
  return [of.folder, ...numbers, ...system, ...start.procs, '--', ...start.command]
}
