import { LabError, toProblem } from '@community-lab/contract'
import { CommanderError } from 'commander'
import type { Context } from '../context.ts'
import { printJson, tint } from './print.ts'

/** Exit codes: of a failure, of a wrong command line, of being stopped by Ctrl-C or cut off by a closed pipe (128 and the signal's number). */
export const exitCodes = { failed: 1, usage: 2, stopped: 130, unread: 141 } as const

/** Why a command is stopped when nobody reads any more what it prints (`… | head`, a terminal that was closed): it ends without a word. */
export class NobodyReads extends Error {}

/** Say why a command failed, in one line, and give its exit code. With `json` the line is a document on standard output, `{ "error": … }`. */
export function explainFailure(
  context: Context,
  failure: unknown,
  { json }: { readonly json: boolean },
): number {
  const { signal } = context
  if (signal.reason instanceof NobodyReads) return exitCodes.unread
  if (failure instanceof CommanderError && failure.exitCode === 0) return 0
  const { error, exitCode } = describe(failure, signal.aborted)
  if (json) printJson(context, { error: toProblem(error) })
  else if (LabError.is(error, 'LAB_CLI_STOPPED')) context.err.write('stopped\n')
  // Commander has said what is wrong with the command line.
  else if (!(failure instanceof CommanderError)) {
    const text = LabError.is(failure) ? oneLine(error.message) : traceOf(failure)
    context.err.write(`${tint(context.err, 'red', 'error:')} ${text} [${error.code}]\n`)
  }
  return exitCode
}

function describe(failure: unknown, isStopped: boolean): { error: LabError; exitCode: number } {
  if (failure instanceof CommanderError) {
    const problem = oneLine(failure.message.replace(/^error: /u, ''))
    return { error: new LabError('LAB_CLI_USAGE', { problem }), exitCode: exitCodes.usage }
  }
  if (isStopped) {
    const what = 'the command'
    return { error: new LabError('LAB_CLI_STOPPED', { what }), exitCode: exitCodes.stopped }
  }
  if (LabError.is(failure)) return { error: failure, exitCode: exitCodes.failed }
  const what = failure instanceof Error ? failure.message : String(failure)
  return { error: new LabError('LAB_INTERNAL', { what }), exitCode: exitCodes.failed }
}

function traceOf(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/gu, ' ')
}
