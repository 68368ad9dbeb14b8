/** How the delay between two attempts grows: exponential backoff with jitter. */
export interface Backoff {
  /** The delay after the first failure, in milliseconds. */
  readonly firstMs: number
  /** The longest delay, in milliseconds. */
  readonly longestMs: number
  /** The share of a delay that may be omitted at random, 0 to 1, so that many clients do not return at the same moment; default 0. */
  readonly jitter?: number
}

/**
 * Return the delay before the next attempt, in milliseconds, after `failures` in a row (1 or more): `firstMs`, doubled for each further failure, at most
 * `longestMs`, less up to `jitter` of it. `random` is from 0 up to 1.
 */
export function backoffMs(
  { firstMs, longestMs, jitter = 0 }: Backoff,
  failures: number,
  random = Math.random(),
): number {
  const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(Math.max(0, failures - 1), 50))
  return wholeMs * (1 - jitter * random)
}
