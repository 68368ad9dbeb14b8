import { LabError } from '@community-lab/contract'

/** Write why a program cannot go on to standard error, and make its exit code 1. A defect is written with its stack. */
export function reportFailure(program: string, error: unknown): void {
  const text = LabError.is(error)
    ? `${error.message} [${error.code}]`
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error)
  process.stderr.write(`${program}: ${text}\n`)
  process.exitCode = 1
}
