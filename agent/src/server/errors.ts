import { fromProblem, LabError, Problem } from '@community-lab/contract'
import { Value } from 'typebox/value'

/** Return the error of a request that the caller gets: a LabError as it is, an abort as its reason, any other error as LAB_CONNECTION_FAILED. */
export function toConnectionError(error: unknown, url: string, signal: AbortSignal): Error {
  if (signal.aborted) return toError(signal.reason)
  if (LabError.is(error)) return error
  const reason = toError(error).message
  return new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 }, { cause: error })
}

/** Return the error in a problem document. An answer without one does not come from the server, but from something in between. */
export function problemOf(url: string, status: number, document: unknown): LabError {
  if (Value.Check(Problem, document)) return fromProblem(document)
  const reason = `status ${status} without a problem document`
  return new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

/** Make the error for a server that sends nothing. */
export function silent(silenceMs: number): Error {
  return new Error(`nothing came for ${silenceMs} ms`)
}

/** Convert a thrown value to an error. */
export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
