import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether nodes send this request automatically. When too many do so at the same time, some are told to come back later. */
    byNodes?: boolean
  }
  interface FastifyRequest {
    /** Whether the request counts as being answered, see {@link nodeTurnsPlugin}. */
    hasTurn: boolean
  }
}

/** The limits of requests of nodes. */
export interface NodeTurnsOptions {
  /** The most requests that are answered at the same time. */
  readonly atOnce: number
  /** The number of refused nodes per second that are told to come back. */
  readonly backPerS: number
}

/** The longest time that a refused node is told to wait, in seconds. */
const longestS = 300

/**
 * Limit the requests of nodes that are answered at the same time. After the server was down or cut off, all nodes come at once. Without a limit, each would
 * wait for PostgreSQL until it gives up and tries again. A request beyond the limit is refused at once, before any query, and each node is told another time to
 * come back. Must be registered after the WebSocket plugin, which tells which requests become streams, and before the plugin that authenticates requests.
 *
 * A request counts while the server works on it, and not while its body or its answer is being transmitted: a node that never completes a report must not block
 * the others.
 */
export const nodeTurnsPlugin = fp<NodeTurnsOptions>(
  (app, { atOnce, backPerS }) => {
    let answering = 0
    let nextBackMs = 0

    /** Return in how many seconds the next refused node is to come back. */
    function giveTime(): number {
      const now = performance.now()
      nextBackMs = Math.max(nextBackMs, now + 1_000) + 1_000 / backPerS
      // Rounded first: the difference of two times has a rest far below a microsecond, which would become a whole second.
      return Math.min(longestS, Math.ceil(Math.round(nextBackMs - now) / 1_000))
    }

    function takeTurn(request: FastifyRequest, reply: FastifyReply): LabError | undefined {
      if (request.routeOptions.config.byNodes !== true) return undefined
      if (answering >= atOnce) return new LabError('LAB_SERVER_BUSY', { retryAfterS: giveTime() })
      // Streams do not count, because they have no end of their own. Answers whose client has gone do not count either.
      if (request.ws || reply.raw.closed) return undefined
      answering++
      request.hasTurn = true
      return undefined
    }

    function endTurn(request: FastifyRequest): void {
      if (request.hasTurn) answering--
      request.hasTurn = false
    }

    app.decorateRequest('hasTurn', false)
    app.addHook('onRequest', (request, reply, done) => {
      reply.raw.once('close', () => endTurn(request))
      done(takeTurn(request, reply))
    })
    // The body is read between these two hooks.
    app.addHook('preParsing', (request, _reply, _body, done) => {
      endTurn(request)
      done()
    })
    app.addHook('preValidation', (request, reply, done) => done(takeTurn(request, reply)))
    app.addHook('onSend', (request, _reply, _answer, done) => {
      endTurn(request)
      done()
    })
    return Promise.resolve()
  },
  { name: 'node-turns', fastify: '5.x', dependencies: ['@fastify/websocket'] },
)
