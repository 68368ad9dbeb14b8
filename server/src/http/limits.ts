import rateLimit from '@fastify/rate-limit'
import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import '../decorations.ts'
import { addressOf, askerOf } from './asker.ts'
import type { HeavyReadLimits } from './heavy-reads.ts'
import type { NodeTurnsOptions } from './node-turns.ts'
import { RequestCounts } from './request-counts.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the answer is a stream, which has no end of its own. The number of open streams is limited, see {@link Limits}. */
    stream?: boolean
  }
  interface FastifyRequest {
    /**
     * Count the answer as an open stream until its end.
     *
     * @throws LabError LAB_REQUEST_TOO_MANY_STREAMS.
     */
    countAsStream: (reply: FastifyReply) => void
  }
}

/** The most requests that the server accepts. */
export interface Limits {
  /**
   * The most requests per minute of one address. They are counted before their tokens are looked up in PostgreSQL, so this bounds the queries that strangers
   * cause. A class of students behind one address stays far below it.
   */
  readonly addressPerMinute: number
  /** The most requests per minute over the Unix socket, by which JupyterLab and the virtual testbed pass the requests of all users of this machine. */
  readonly socketPerMinute: number
  /** The most requests per minute of one token. */
  readonly tokenPerMinute: number
  /** The most requests per minute of one address without a token. */
  readonly anonymousPerMinute: number
  /** The most requests of nodes that are answered at the same time, and the rate at which refused nodes are told to come back. */
  readonly nodes: NodeTurnsOptions
  /** The most lists and pasts that are made at the same time, and for how many others a client may wait. */
  readonly heavyReads: HeavyReadLimits
  /**
   * The most open streams of a token, of a user, of an address without a token, of the Unix socket, of all clients without a token, and of all together. Streams
   * with a token do not count for their address: a class of students behind one address has more than one of them needs.
   */
  readonly streams: {
    readonly token: number
    readonly user: number
    readonly address: number
    readonly socket: number
    readonly anonymous: number
    readonly server: number
  }
}

/** The default limits. They are far above honest use, and low enough that one asker does not slow down others. */
export const defaultLimits: Limits = {
  addressPerMinute: 60_000,
  socketPerMinute: 120_000,
  tokenPerMinute: 6_000,
  anonymousPerMinute: 3_000,
  nodes: { atOnce: 1_000, backPerS: 50 },
  heavyReads: {
    anonymous: { atOnce: 2, restShare: 1, waitingOfOne: 50, waiting: 500 },
    people: { atOnce: 4, restShare: 0, waitingOfOne: 50, waiting: 2_000 },
  },
  streams: { token: 100, user: 300, address: 200, socket: 2_000, anonymous: 2_500, server: 5_000 },
}

/** Limit requests by address. Must be registered before the plugin that authenticates requests. */
export const addressLimitPlugin = fp<{ readonly limits: Limits }>(
  async (app, { limits }) => {
    await app.register(rateLimit, {
      global: true,
      timeWindow: 60_000,
      store: RequestCounts,
      // When a route's own limit counts, the token is known. A guessed secret counts for its address.
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

/** Limit the number of open streams. Must be registered after the plugin that authenticates requests. */
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
    if (request.routeOptions.config.stream === true) request.countAsStream(reply)
    done()
  })
  app.decorateRequest(
    'countAsStream',
    function countAsStream(this: FastifyRequest, reply: FastifyReply) {
      // A client that has gone while its answer was made: nothing would end the count.
      if (reply.raw.closed) return
      const address = addressOf(this)
      const { tokenId, userId } = this.principal
      const counted: Counted[] = [{ key: 'server', of: 'server', limit: limits.server }]
      if (address === null) counted.push({ key: 'socket', of: 'server', limit: limits.socket })
      if (tokenId === null) {
        counted.push({ key: 'anonymous', of: 'server', limit: limits.anonymous })
        if (address !== null)
          counted.push({ key: `address ${address}`, of: 'address', limit: limits.address })
      } else counted.push({ key: `token ${tokenId}`, of: 'token', limit: limits.token })
      if (userId !== null) counted.push({ key: `user ${userId}`, of: 'user', limit: limits.user })
      const full = counted.find(({ key, limit }) => countOf(key) >= limit)
      if (full !== undefined) {
        const { limit, of } = full
        throw new LabError('LAB_REQUEST_TOO_MANY_STREAMS', { limit, of })
      }
      for (const { key } of counted) open.set(key, countOf(key) + 1)
      reply.raw.once('close', () => {
        for (const { key } of counted) {
          if (countOf(key) > 1) open.set(key, countOf(key) - 1)
          else open.delete(key)
        }
      })
    },
  )
}

interface Counted {
  readonly key: string
  readonly of: 'token' | 'user' | 'address' | 'server'
  readonly limit: number
}

function tooMany(ttlMs: number): LabError {
  return new LabError('LAB_REQUEST_RATE_LIMITED', { retryAfterS: Math.ceil(ttlMs / 1000) })
}
