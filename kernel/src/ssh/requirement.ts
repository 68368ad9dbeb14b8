import { LabError } from '@community-lab/contract'
import type { CommandResults } from './result.ts'

/** Throw for the first result that is not ok. @throws {@link LabError} LAB_COMMAND_FAILED. */
export function requireOk(results: CommandResults, what: string): void {
  const [first] = results.failed
  if (first === undefined) return
  const reason =
    first.error?.message ??
    `exit code ${first.exitCode ?? first.signal ?? 'unknown'}: ${first.stderr.trim().slice(0, 500)}`
  throw new LabError(
    'LAB_COMMAND_FAILED',
    { what, sliver: first.sliver, node: first.node, reason },
    { cause: first.error ?? undefined },
  )
}
