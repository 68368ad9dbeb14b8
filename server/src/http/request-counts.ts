import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** What one asker has asked in the current window. */
interface Count {
  requests: number
  readonly beganMs: number
}

/** The most askers that are counted at once; beyond it the one that was silent longest is forgotten. Source: the default of @fastify/rate-limit. */
const mostAskers = 5_000

/**
 * Counts requests by asker, in windows of time. The clock only ever goes forward: the store of the plugin itself looks at the host's clock, and when that is set
 * back by an hour, the requests of an hour count as those of a minute and everybody is refused.
 */
export class RequestCounts implements FastifyRateLimitStore {
  readonly #counts = new Map<string, Count>()

  /** Count a request. The callback gets the count of the window, and the milliseconds until the window ends. */
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
    // A map is in the order of insertion, so the one that was silent longest is its first.
    this.#counts.delete(key)
    this.#counts.set(key, count)
    const [first] = this.#counts.keys()
    if (this.#counts.size > mostAskers && first !== undefined) this.#counts.delete(first)
    callback(null, { current: count.requests, ttl: count.beganMs + windowMs - nowMs })
  }

  /** Counts of its own for a route that has its own limit. */
  child(): RequestCounts {
    return new RequestCounts()
  }
}
