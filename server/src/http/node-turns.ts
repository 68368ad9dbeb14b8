import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Nodes ask this by themselves, all of them: when too many do at the same time, some are told to come again later. */
    byNodes?: boolean
  }
  interface FastifyRequest {
    /** Whether it is one of those that are being answered, see {@link nodeTurnsPlugin}. */
    hasTurn: boolean
  }
}

/** How many requests of nodes there may be. */
export interface NodeTurnsOptions {
  /** So many are answered at the same time. */
  readonly atOnce: number
  /** So many of those that were refused are asked back in a second. */
  readonly backPerS: number
}

/** Nobody is asked to stay away for longer, in seconds. */
const longestS = 300

/**
 * Bound the requests of nodes that are being answered. After a server was down, or away from all nodes, everybody comes at once; each then waits for
 * PostgreSQL for so long that it gives up and comes again. Whoever is beyond the bound is refused at once, before anything is looked up, and is told a time of
 * its own to come back. To be registered after the plugin of WebSockets, which tells what becomes a stream, and before who asks is found out.
 *
 * A request counts while the server works on it, and not while its body or its answer is on the way: one node that sends reports and never ends them must not
 * keep all others out.
 */
export const nodeTurnsPlugin = fp<NodeTurnsOptions>(
  (app, { atOnce, backPerS }) => {
    let answering = 0
    let nextBackMs = 0

    /** The time that the next one who is refused comes back, from now on, in seconds. */
    function giveTime(): number {
      const now = performance.now()
      nextBackMs = Math.max(nextBackMs, now + 1_000) + 1_000 / backPerS
      return Math.min(longestS, Math.ceil((nextBackMs - now) / 1_000))
    }

    function takeTurn(request: FastifyRequest, reply: FastifyReply): LabError | undefined {
      if (request.routeOptions.config.byNodes !== true) return undefined
      if (answering >= atOnce) return new LabError('LAB_SERVER_BUSY', { retryAfterS: giveTime() })
      // What becomes a stream is not waited for: it has no end of its own. Nor is an answer that nobody takes any more.
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
    // Its body is read between these two.
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
