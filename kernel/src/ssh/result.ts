import { LabError } from '@community-lab/contract'
import { asTable, type Column, type Shown } from '../display/table.ts'
import type { OutputBuffer } from './output.ts'

/** What a command did on one sliver. */
export interface CommandResult {
  /** The sliver's id, `slice@node`. */
  readonly sliver: string
  /** Its node's name. */
  readonly node: string
  /** Null: it did not end by itself (see `signal` and `error`). */
  readonly exitCode: number | null
  /** The signal that ended it, such as `TERM`. */
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
  /** `stdout` as it came, for what is no text. */
  readonly stdoutBytes: Uint8Array
  /** Output was longer than 64 MiB; its rest is missing. */
  readonly truncated: boolean
  readonly startedAt: Date
  readonly durationMs: number
  /** It ended, with exit code 0. */
  readonly ok: boolean
  /** Why there is no exit code: the sliver was not reached, was lost, or took too long. */
  readonly error: LabError | null
  /** This result, when it is ok. @throws {@link LabError} LAB_COMMAND_FAILED with what the command said, when it is not. */
  orThrow(): this
}

/** Results of one command on several slivers, in the slivers' order. A table in notebooks. */
export type CommandResults = Shown<CommandResult> & {
  /** Every sliver's command ended with exit code 0. */
  readonly ok: boolean
  /** The results that are not ok. */
  readonly failed: readonly CommandResult[]
  /** These results, when all are ok. @throws {@link LabError} LAB_COMMAND_FAILED with the first that is not. */
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

/** Make a result. Its bytes and its methods are not among what it shows. */
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

/** Put results together. */
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

/** Why a result is not ok, in a line or two. */
function reasonOf({ error, exitCode, signal, stderr }: CommandResult): string {
  if (error !== null) return error.message
  const said = stderr.trim().slice(0, 500)
  const ended = exitCode === null ? `ended by signal ${signal ?? '?'}` : `exit code ${exitCode}`
  return said === '' ? ended : `${ended}: ${said}`
}
