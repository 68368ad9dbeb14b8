import type { FastifyReply, FastifyRequest } from 'fastify'
import { callAt } from './call-at.ts'

/** The requests that are being answered, by their token. */
export interface OpenRequests {
  /**
   * Follow a request until its answer, or the connection that it became, has ended. Returns false, and does not follow it, if the streams of its token were ended
   * after the token was read from the database: the token has to be read again.
   */
  follow(request: FastifyRequest, reply: FastifyReply): boolean
  /** List the tokens of the followed requests. */
  tokens(): readonly number[]
  /** End the open streams of a token, which have no end of their own: event streams, tunnels, nodes' streams. Other answers are completed. */
  cut(tokenId: number): void
}

interface OpenRequest {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** Follow the requests that are being answered. When a token expires, its streams are ended. */
export function createOpenRequests(): OpenRequests {
  const byToken = new Map<number, Set<OpenRequest>>()
  // A token that is cut between its look-up and `follow` has no open request yet, so the time of each cut is kept. A token that is looked up after the cut
  // may be valid again, because its user was enabled.
  const cutAtMs = new Map<number, number>()
  return {
    follow(request, reply) {
      const { tokenId, endsMs, soughtMs } = request.principal
      if (tokenId === null) return true
      if ((cutAtMs.get(tokenId) ?? -Infinity) >= soughtMs) return false
      const one = { request, reply }
      const ofToken = byToken.get(tokenId) ?? new Set()
      byToken.set(tokenId, ofToken.add(one))
      const forget = endsMs === null ? null : callAt(endsMs, () => cut(one))
      // A WebSocket ends with its connection, because the reply of an upgraded request is never closed.
      const end = request.ws ? request.raw.socket : reply.raw
      end.once('close', () => {
        forget?.()
        ofToken.delete(one)
        if (ofToken.size === 0 && byToken.get(tokenId) === ofToken) byToken.delete(tokenId)
      })
      return true
    },
    tokens: () => [...byToken.keys()],
    cut(tokenId) {
      cutAtMs.set(tokenId, performance.now())
      for (const one of byToken.get(tokenId) ?? []) cut(one)
    },
  }
}

function cut({ request, reply }: OpenRequest): void {
  // This also ends a stream that has not begun yet. Otherwise it would continue without an end.
  const isStream = request.ws || request.routeOptions.config.stream === true
  if (isStream || reply.raw.headersSent) request.raw.socket.destroy()
}
