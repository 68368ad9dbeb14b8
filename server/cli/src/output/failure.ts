import { LabError, messageOf, toProblem } from '@community-lab/contract'
import { CommanderError } from 'commander'
import type { Context } from '../context.ts'
import { printJson, tint } from './print.ts'

/**
 * Exit codes: a failure, a wrong command line, a stop by Ctrl-C, and an output that nobody reads. The last two are 128 plus the number of SIGINT and SIGPIPE.
 */
export const exitCodes = { failed: 1, usage: 2, stopped: 130, unread: 141 } as const

/** The reason of the abort when nobody reads the output any more (`… | head`, a closed terminal). Then the command ends without a message. */
export class NobodyReads extends Error {}

/** The end of a command that shows changes until Ctrl-C. It ends without a message. */
export class WatchEnded extends Error {}

/** Print in one line why a command failed, and return its exit code. With `json` the line is a document on standard output, `{ "error": … }`. */
export function explainFailure(
  context: Context,
  failure: unknown,
  { json }: { readonly json: boolean },
): number {
  const { signal } = context
  if (signal.reason instanceof NobodyReads) return exitCodes.unread
  if (failure instanceof WatchEnded) return exitCodes.stopped
  if (failure instanceof CommanderError && failure.exitCode === 0) return 0
  const { error, exitCode } = describe(failure, signal.aborted)
  if (json) printJson(context, { error: toProblem(error) })
  else if (LabError.is(error, 'LAB_CLI_STOPPED')) context.err.write('stopped\n')
  // Commander has printed its own message.
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
  if (LabError.is(failure, 'LAB_CLI_USAGE')) return { error: failure, exitCode: exitCodes.usage }
  if (LabError.is(failure)) return { error: failure, exitCode: exitCodes.failed }
  const what = messageOf(failure)
  return { error: new LabError('LAB_INTERNAL', { what }), exitCode: exitCodes.failed }
}

function traceOf(failure: unknown): string {
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/gu, ' ')
}
