import Type, { type Static } from 'typebox'
import { errorCodes, type ErrorCode } from './codes.ts'
import { LabError } from './lab-error.ts'

/** An error as it is sent: `application/problem+json` (RFC 9457) with our code, details and the request's id. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    details: Type.Unknown(),
    requestId: Type.Optional(Type.String()),
  },
  { $id: 'Problem', description: 'RFC 9457 problem details' },
)
export type Problem = Static<typeof Problem>

/** Convert an error to a problem document. */
export function toProblem(error: LabError, requestId?: string): Problem {
  return {
    type: `https://community-lab.org/errors#${error.code.toLowerCase()}`,
    title: error.code,
    status: error.status === 0 ? 500 : error.status,
    detail: error.message,
    code: error.code,
    details: error.details,
    ...(requestId === undefined ? {} : { requestId }),
  }
}

/** Convert a problem document to an error. A code that this version does not know becomes LAB_SERVER_INTERNAL with the same message. */
export function fromProblem(problem: Problem): LabError {
  const known = Object.hasOwn(errorCodes, problem.code)
  const code = known ? (problem.code as ErrorCode) : 'LAB_SERVER_INTERNAL'
  const details = known ? problem.details : { requestId: problem.requestId ?? 'unknown' }
  return new LabError(code, details as never, {
    message: problem.detail,
    ...(problem.requestId === undefined ? {} : { requestId: problem.requestId }),
  })
}
