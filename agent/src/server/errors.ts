import { fromProblem, LabError, Problem } from '@community-lab/contract'
import { Value } from 'typebox/value'

/** What went wrong with a request, as the caller should see it: a LabError as it is, an abort as its reason, all else as LAB_CONNECTION_FAILED. */
export function toConnectionError(error: unknown, url: string, signal: AbortSignal): Error {
  if (signal.aborted) return toError(signal.reason)
  if (LabError.is(error)) return error
  const reason = toError(error).message
  return new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 }, { cause: error })
}

/** The error that a problem document tells of; an answer without one is the fault of something in between. */
export function problemOf(url: string, status: number, document: unknown): LabError {
  if (Value.Check(Problem, document)) return fromProblem(document)
  const reason = `status ${status} without a problem document`
  return new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

/** Make the error for a server that sends nothing. */
export function silent(silenceMs: number): Error {
  return new Error(`nothing came for ${silenceMs} ms`)
}

/** A thrown value as an error. */
export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
