import { LabError } from '@community-lab/contract'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { OutputBuffer } from './output.ts'

/** The result of a command on one sliver. */
export interface CommandResult {
  /** The sliver's id, `slice@node`. */
  readonly sliver: string
  /** The name of its node. */
  readonly node: string
  /** Null: the command did not exit by itself (see `signal` and `error`). */
  readonly exitCode: number | null
  /** The signal that ended the command, such as `TERM`. */
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
  /** The bytes of `stdout`, for output that is not text. */
  readonly stdoutBytes: Uint8Array
  /** Whether output beyond 64 MiB is missing. */
  readonly truncated: boolean
  readonly startedAt: Date
  readonly durationMs: number
  /** Whether the command ended with exit code 0. */
  readonly ok: boolean
  /** Why there is no exit code: the sliver could not be reached, the connection was lost, or the command took too long. */
  readonly error: LabError | null
  /** Return this result if it is ok. @throws {@link LabError} LAB_COMMAND_FAILED with the output of the command if it is not. */
  orThrow(): this
}

/** The results of one command on several slivers, in the order of the slivers. A table in notebooks. */
export type CommandResults = Shown<CommandResult> & {
  /** Whether every command ended with exit code 0. */
  readonly ok: boolean
  /** The results that are not ok. */
  readonly failed: readonly CommandResult[]
  /** Return these results if all are ok. @throws {@link LabError} LAB_COMMAND_FAILED with the first that is not. */
  orThrow(): CommandResults
}

/** How a command ended. */
export interface Ending {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly error: LabError | null
}

/** What a result is made of. */
export interface ResultParts extends Ending {
  readonly id: string
  readonly node: string
  readonly stdout: OutputBuffer
  readonly stderr: OutputBuffer
  readonly startedAt: Date
  readonly durationMs: number
}

/** Make a result. Its bytes and its methods are hidden when it is printed. */
export function createResult(parts: ResultParts): CommandResult {
  const { id, node, exitCode, signal, error, startedAt, durationMs } = parts
  const stdoutBytes = parts.stdout.bytes()
  const shown = {
    sliver: id,
    node,
    exitCode,
    signal,
    stdout: stdoutBytes.toString(),
    stderr: parts.stderr.bytes().toString(),
    truncated: parts.stdout.truncated || parts.stderr.truncated,
    startedAt,
    durationMs,
    ok: exitCode === 0 && error === null,
    error,
  }
  const result = Object.defineProperties(shown, {
    stdoutBytes: { value: stdoutBytes },
    orThrow: {
      value: () => {
        requireOk([result], 'the command')
        return result
      },
    },
  }) as CommandResult
  return result
}

const columns: readonly Column<CommandResult>[] = [
  { name: 'node', value: ({ node }) => node },
  {
    name: 'exit',
    value: ({ exitCode, signal, error }) =>
      exitCode ?? signal ?? (error === null ? '' : error.code),
  },
  { name: 'output', value: ({ stdout }) => stdout },
  {
    name: 'stderr',
    value: ({ stderr, error }) => (error === null ? stderr : `${stderr}${error.message}`),
  },
  { name: 'ms', value: ({ durationMs }) => Math.round(durationMs) },
]

/** Make a list of results. */
export function collectResults(results: readonly CommandResult[]): CommandResults {
  const shownColumns = () =>
    columns.filter(
      ({ name, value }) => name !== 'stderr' || results.some((result) => value(result) !== ''),
    )
  const shown = asTable([...results], shownColumns)
  const collected = Object.defineProperties(shown, {
    ok: { value: results.every(({ ok }) => ok) },
    failed: { value: results.filter(({ ok }) => !ok) },
    orThrow: {
      value: () => {
        requireOk(results, 'the command')
        return collected
      },
    },
  }) as CommandResults
  return collected
}

/** Throw for the first result that is not ok. @throws {@link LabError} LAB_COMMAND_FAILED. */
export function requireOk(results: readonly CommandResult[], what: string): void {
  const failed = results.filter(({ ok }) => !ok)
  const [first] = failed
  if (first === undefined) return
  const { sliver, node } = first
  const others = failed.length - 1
  throw new LabError(
    'LAB_COMMAND_FAILED',
    { what, sliver, node, reason: reasonOf(first), others },
    { cause: first.error ?? undefined },
  )
}

/** Describe why a result is not ok, in a line or two. */
function reasonOf({ error, exitCode, signal, stderr }: CommandResult): string {
  if (error !== null) return error.message
  const said = stderr.trim().slice(0, 500)
  const ended = exitCode === null ? `ended by signal ${signal ?? '?'}` : `exit code ${exitCode}`
  return said === '' ? ended : `${ended}: ${said}`
}
