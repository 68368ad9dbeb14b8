import rateLimit from '@fastify/rate-limit'
import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import '../decorations.ts'
import { addressOf, askerOf } from './asker.ts'
import type { NodeTurnsOptions } from './node-turns.ts'
import { RequestCounts } from './request-counts.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answer has no end of its own; so many at once are open for a token, an address and all together. */
    stream?: boolean
  }
}

/** How much anybody may ask of the server. */
export interface Limits {
  /**
   * A minute's requests of one address, counted before anybody looks at their tokens: what PostgreSQL must look up for strangers at most. A class of students
   * behind one address stays far below it.
   */
  readonly addressPerMinute: number
  /** A minute's requests over the Unix socket, through which JupyterLab and the virtual testbed bring everybody of this machine. */
  readonly socketPerMinute: number
  /** A minute's requests of one token. */
  readonly tokenPerMinute: number
  /** A minute's requests without a token of one address. */
  readonly anonymousPerMinute: number
  /** Requests of nodes that are answered at the same time, and how many of those beyond are asked back in a second. */
  readonly nodes: NodeTurnsOptions
  /** How many streams a token, an address, the Unix socket, all who have no token, and all together may have open. */
  readonly streams: {
    readonly token: number
    readonly address: number
    readonly socket: number
    readonly anonymous: number
    readonly server: number
  }
}

/** Far above any honest use, and far below what would keep others from theirs. */
export const defaultLimits: Limits = {
  addressPerMinute: 60_000,
  socketPerMinute: 120_000,
  tokenPerMinute: 6_000,
  anonymousPerMinute: 3_000,
  nodes: { atOnce: 1_000, backPerS: 50 },
  streams: { token: 100, address: 200, socket: 2_000, anonymous: 2_500, server: 5_000 },
}

/** Limit requests by address, before anything is known of them. To be registered before who asks is found out. */
export const addressLimitPlugin = fp<{ readonly limits: Limits }>(
  async (app, { limits }) => {
    await app.register(rateLimit, {
      global: true,
      timeWindow: 60_000,
      store: RequestCounts,
      // By the time a route's own limit counts, it is known whose token it is; a secret that is merely guessed counts for its address.
      keyGenerator: (request) => askerOf(request),
      max: ({ principal }) =>
        principal.tokenId === null ? limits.anonymousPerMinute : limits.tokenPerMinute,
      errorResponseBuilder: (_request, { ttl }) => tooMany(ttl),
    })
    const check = app.createRateLimit({
      timeWindow: 60_000,
      keyGenerator: (request) => addressOf(request) ?? 'socket',
      max: (request) =>
        addressOf(request) === null ? limits.socketPerMinute : limits.addressPerMinute,
    })
    app.addHook('onRequest', async (request) => {
      const result = await check(request)
      if (!result.isAllowed && result.isExceeded) throw tooMany(result.ttl)
    })
  },
  { name: 'address-limit', fastify: '5.x' },
)

/** Limit how many streams are open. To be registered after who asks was found out. */
export const streamLimitPlugin = fp<{ readonly limits: Limits }>(
  (app, { limits: { streams } }) => {
    limitStreams(app, streams)
    return Promise.resolve()
  },
  { name: 'stream-limit', fastify: '5.x' },
)

function limitStreams(app: FastifyInstance, limits: Limits['streams']): void {
  const open = new Map<string, number>()
  const countOf = (key: string): number => open.get(key) ?? 0
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.stream !== true) {
      done()
      return
    }
    const address = addressOf(request)
    const { tokenId } = request.principal
    const counted: readonly Counted[] = [
      { key: 'server', of: 'server', limit: limits.server },
      address === null
        ? { key: 'socket', of: 'server', limit: limits.socket }
        : { key: `address ${address}`, of: 'address', limit: limits.address },
      tokenId === null
        ? { key: 'anonymous', of: 'server', limit: limits.anonymous }
        : { key: `token ${tokenId}`, of: 'token', limit: limits.token },
    ]
    const full = counted.find(({ key, limit }) => countOf(key) >= limit)
    if (full !== undefined) {
      const { limit, of } = full
      done(new LabError('LAB_REQUEST_TOO_MANY_STREAMS', { limit, of }))
      return
    }
    for (const { key } of counted) open.set(key, countOf(key) + 1)
    reply.raw.once('close', () => {
      for (const { key } of counted) {
        if (countOf(key) > 1) open.set(key, countOf(key) - 1)
        else open.delete(key)
      }
    })
    done()
  })
}

interface Counted {
  readonly key: string
  readonly of: 'token' | 'address' | 'server'
  readonly limit: number
}

function tooMany(ttlMs: number): LabError {
  return new LabError('LAB_REQUEST_RATE_LIMITED', { retryAfterS: Math.ceil(ttlMs / 1000) })
}
