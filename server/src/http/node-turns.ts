import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Nodes ask this by themselves, all of them: when too many do at the same time, some are told to come again later. */
    byNodes?: boolean
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

    app.addHook('onRequest', (request, reply, done) => {
      if (request.routeOptions.config.byNodes !== true) {
        done()
        return
      }
      if (answering >= atOnce) {
        done(new LabError('LAB_SERVER_BUSY', { retryAfterS: giveTime() }))
        return
      }
      // What becomes a stream is not waited for: it has no end of its own.
      if (!request.ws) {
        answering++
        reply.raw.once('close', () => {
          answering--
        })
      }
      done()
    })
    return Promise.resolve()
  },
  { name: 'node-turns', fastify: '5.x', dependencies: ['@fastify/websocket'] },
)
