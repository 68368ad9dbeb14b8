import { LabError, problemMediaType, toProblem } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isConfineClient } from '../confine/client.ts'
import { toConfineRefusal } from '../confine/refusal.ts'
import { noRoute } from './methods.ts'

/**
 * Answer every error as an RFC 9457 problem with one of our codes, or to clients of CONFINE as CONFINE does. An unexpected error is logged completely, and its
 * answer contains only the id of the request.
 */
export const problemPlugin = fp(
  (app) => {
    app.setErrorHandler<FastifyError>(answerProblem)
    app.setNotFoundHandler((request) => {
      throw noRoute(app, request)
    })
    return Promise.resolve()
  },
  { name: 'problems', fastify: '5.x' },
)

/** Answer with the problem of an error. Also works for errors that Fastify finds before it knows the route. */
export function answerProblem(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const known = toLabError(error, request)
  // A client that has gone ends the work for it. Nothing has failed, and strangers could fill the log.
  const hasGone = error.name === 'AbortError' && reply.raw.closed
  if (known.code === 'LAB_SERVER_INTERNAL' && !hasGone)
    request.log.error({ err: error }, 'request failed')
  if (
    LabError.is(known, 'LAB_REQUEST_RATE_LIMITED') ||
    LabError.is(known, 'LAB_SERVER_BUSY') ||
    LabError.is(known, 'LAB_AUTH_TOO_MANY_ATTEMPTS')
  )
    void reply.header('retry-after', known.details.retryAfterS)
  if (isConfineClient(request)) {
    const { status, body } = toConfineRefusal(known, {
      method: request.method,
      ...changeOf(request),
    })
    return reply.code(status).type('application/json').send(body)
  }
  const problem = toProblem(known, request.id)
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type(problemMediaType).send(problem)
}

/** Tell what a request changes: the kind of its object, and whether its body describes one. */
function changeOf({ method, routeOptions }: FastifyRequest): {
  readonly kind: string
  readonly changesObject: boolean
} {
  const kind = /^\/api\/(\w+)s\/:id\/$/u.exec(routeOptions.url ?? '')?.[1] ?? ''
  const isList = /^\/api\/\w+\/$/u.test(routeOptions.url ?? '')
  const changesObject = ['POST', 'PUT', 'PATCH'].includes(method) && (isList || kind !== '')
  return { kind, changesObject }
}

// Messages of pg that have no code.
const lostConnection =
  /^(?:timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error)/u

function toLabError(error: FastifyError, { id: requestId, headers }: FastifyRequest): LabError {
  if (LabError.is(error)) return error
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new LabError('LAB_REQUEST_TOO_LARGE', { limitBytes: bodyLimitBytes }, { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new LabError('LAB_REQUEST_MEDIA_TYPE', {
        found: headers['content-type']?.slice(0, 200) ?? 'none',
      })
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new LabError('LAB_REQUEST_INVALID', {
        issues: [{ pointer: '', message: error.message }],
      })
  }
  // PostgreSQL is not reachable, closed or full, or the pool has no connection to it: classes 08 and 53, 55000 and 57P0x.
  const unreachable =
    /^(?:ECONNREFUSED|ECONNRESET|EPIPE|55000|57P0\d|(?:08|53)\d{3})$/u.test(error.code) ||
    (error.code === 'ENOENT' && 'syscall' in error && error.syscall === 'connect') ||
    lostConnection.test(error.message)
  if (unreachable)
    return new LabError(
      'LAB_SERVER_UNAVAILABLE',
      { what: 'its database is away' },
      { cause: error },
    )
  if (error instanceof SyntaxError || error.statusCode === 400)
    return new LabError('LAB_REQUEST_INVALID', {
      issues: [{ pointer: '', message: error.message.slice(0, 200) }],
    })
  return new LabError('LAB_SERVER_INTERNAL', { requestId }, { cause: error })
}

/** The largest JSON body, in bytes. A report of a full node and a slice on ten thousand nodes both fit. */
export const bodyLimitBytes = 2 * 1024 * 1024
