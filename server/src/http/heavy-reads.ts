import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'
import { askerOf } from './asker.ts'
import { createTurns, type TurnLimits } from './turns.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether an answer may take much work: a list, or a past. So many are made at the same time, see {@link heavyReadsPlugin}. */
    heavy?: boolean
  }
  interface FastifyRequest {
    /** Ends the turn of a heavy read; null: it has none. */
    endHeavyRead: (() => void) | null
  }
}

/** The limits of heavy reads: of all clients without a token, and of all users. */
export interface HeavyReadLimits {
  readonly anonymous: TurnLimits
  readonly people: TurnLimits
}

/**
 * Make only so many heavy answers at the same time, for one asker after the other. Limits of requests do not bound work: an answer may take a hundred times as long as
 * another. However much is asked, nodes and changes find connections to the database, users do not wait for strangers, and nobody waits for all
 * requests of another. Must be registered after the plugin that authenticates requests.
 */
export const heavyReadsPlugin = fp<HeavyReadLimits>(
  (app, limits) => {
    const turns = { anonymous: createTurns(limits.anonymous), people: createTurns(limits.people) }
    app.decorateRequest('endHeavyRead', null)
    app.addHook('onRoute', (route) => {
      if (route.config?.heavy !== true) return
      const { handler } = route
      route.handler = async function takeTurn(request, reply) {
        const gone = new AbortController()
        reply.raw.once('close', () => gone.abort())
        const { role } = request.principal
        const own = role === 'anonymous' ? turns.anonymous : turns.people
        request.endHeavyRead = await own.take(nameOf(request), gone.signal)
        try {
          gone.signal.throwIfAborted()
          return await handler.call(this, request, reply)
        } finally {
          // The work for a client who has gone counts until it ends: who asks and goes would have any number of answers made at the same time.
          if (gone.signal.aborted) endTurn(request)
        }
      }
    })
    app.addHook('onSend', (request, _reply, _answer, done) => {
      endTurn(request)
      done()
    })
    return Promise.resolve()
  },
  { name: 'heavy-reads', fastify: '5.x', dependencies: ['access'] },
)

function endTurn(request: FastifyRequest): void {
  request.endHeavyRead?.()
  request.endHeavyRead = null
}

/** Users have as many turns as others, however many tokens they have. */
function nameOf(request: FastifyRequest): string {
  const { userId } = request.principal
  return userId === null ? askerOf(request) : `user ${userId}`
}
