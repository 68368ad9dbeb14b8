import type { Static, TSchema } from 'typebox'
import { LabError } from './error/lab-error.ts'
import { fromProblem, Problem } from './error/problem.ts'
import { describeMismatch } from './mismatch.ts'
import { isReadable, tolerant } from './tolerant.ts'

/** An HTTP answer of a server whose body has been read. */
export interface Answer {
  readonly url: string
  readonly status: number
  readonly body: string
}

/** Whether a status says that a request was done. Clients follow no redirection: a server of a testbed never sends one. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

/**
 * Read the document of an answer. Members and values that a newer server adds to it pass.
 *
 * @throws {@link LabError} the error that the server answered, see {@link refusalOf}; LAB_RESPONSE_INVALID when the document has not the form of the schema.
 */
export function readAnswer<S extends TSchema>(schema: S, answer: Answer): Static<S> {
  if (!isSuccess(answer.status)) throw refusalOf(answer)
  return readDocument(schema, answer)
}

/** Read the document of an answer of whatever status. @throws {@link LabError} LAB_RESPONSE_INVALID. */
export function readDocument<S extends TSchema>(schema: S, { url, body }: Answer): Static<S> {
  const document = maybeJson(body)
  if (isReadable(schema, document)) return document
  const reason =
    document === undefined ? 'it is not JSON' : describeMismatch(tolerant(schema), document)
  throw new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

/** Make the error of an answer that is one. Without a problem document it comes from something between client and server, such as a proxy. */
export function refusalOf({ url, status, body }: Answer): LabError {
  const problem = maybeJson(body)
  if (isReadable(Problem, problem)) return fromProblem(problem)
  const reason = `status ${status} without an explanation`
  if (status >= 500) return new LabError('LAB_SERVER_UNAVAILABLE', { what: `${url}: ${reason}` })
  return new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

/** Parse JSON; undefined for what is none. */
function maybeJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // For example the page of a proxy. The caller reports what it is not.
    return undefined
  }
}
