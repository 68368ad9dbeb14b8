import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** The requests of one client in the current window. */
interface Count {
  requests: number
  readonly beganMs: number
}

/** The most clients that are counted at once. Beyond it, the one that was silent longest is forgotten. Source: the default of @fastify/rate-limit. */
const mostAskers = 5_000

/**
 * Counts requests by client, in windows of time, with a monotonic clock. The plugin's own store uses the host's clock. When that is set
 * back by an hour, the requests of an hour count as those of a minute, and everybody is refused.
 */
export class RequestCounts implements FastifyRateLimitStore {
  readonly #counts = new Map<string, Count>()

  /** Count a request. The callback gets the count in the window, and the milliseconds until the window ends. */
  incr(
    key: string,
    callback: (error: null, result: { current: number; ttl: number }) => void,
    windowMs: number,
  ): void {
    const nowMs = performance.now()
    const found = this.#counts.get(key)
    const count =
      found === undefined || found.beganMs + windowMs <= nowMs
        ? { requests: 0, beganMs: nowMs }
        : found
    count.requests += 1
    // A map keeps the order of insertion, so the client that was silent longest is the first.
    this.#counts.delete(key)
    this.#counts.set(key, count)
    const [first] = this.#counts.keys()
    if (this.#counts.size > mostAskers && first !== undefined) this.#counts.delete(first)
    callback(null, { current: count.requests, ttl: count.beganMs + windowMs - nowMs })
  }

  /** Create separate counts for a route that has its own limit. */
  child(): RequestCounts {
    return new RequestCounts()
  }
}
