import { LabError } from '@community-lab/contract'
import { CommanderError } from 'commander'
import type { Context } from '../context.ts'
import { tint } from './print.ts'

/** Exit codes: of a failure, of a wrong command line, of being stopped (128 and SIGINT's number). */
export const exitCodes = { failed: 1, usage: 2, stopped: 130 } as const

/** Say why a command failed, in one line, and give its exit code. */
export function explainFailure(context: Context, error: unknown): number {
  if (error instanceof CommanderError) {
    // It has said what is wrong, or printed the help that was asked for.
    return error.exitCode === 0 ? 0 : exitCodes.usage
  }
  if (context.signal.aborted) {
    context.err.write('stopped\n')
    return exitCodes.stopped
  }
  const prefix = tint(context.err, 'red', 'error:')
  if (LabError.is(error)) {
    context.err.write(`${prefix} ${oneLine(error.message)} [${error.code}]\n`)
    return exitCodes.failed
  }
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
  context.err.write(`${prefix} ${what} [LAB_INTERNAL]\n`)
  return exitCodes.failed
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/gu, ' ')
}
