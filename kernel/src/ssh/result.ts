import type { LabError } from '@community-lab/contract'
import { asTable, type Column, type Shown } from '../display/table.ts'

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
  /** Output was longer than 64 MiB; its rest is missing. */
  readonly truncated: boolean
  readonly startedAt: Date
  readonly durationMs: number
  /** It ended, with exit code 0. */
  readonly ok: boolean
  /** Why there is no exit code: the sliver was not reached, was lost, or took too long. */
  readonly error: LabError | null
}

/** Results of one command on several slivers, in the slivers' order. A table in notebooks. */
export type CommandResults = Shown<CommandResult> & {
  /** Every sliver's command ended with exit code 0. */
  readonly ok: boolean
  /** The results that are not ok. */
  readonly failed: readonly CommandResult[]
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
  const members = { ok: results.every(({ ok }) => ok), failed: results.filter(({ ok }) => !ok) }
  Object.defineProperties(shown, {
    ok: { value: members.ok },
    failed: { value: members.failed },
  })
  return shown as CommandResults
}
