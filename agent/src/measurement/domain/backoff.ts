/** The first and the longest wait, in milliseconds. */
export const firstBackoffMs = 200
export const longestBackoffMs = 10_000

/**
 * How long to wait before the next attempt, in milliseconds, after so many failures in a row (1 or more): 0.2 s doubling to 10 s, of which a random half
 * is left out, so that many nodes do not come back at the same moment. `random` is from 0 to 1.
 */
export function backoffMs(failures: number, random: number): number {
  const wholeMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.max(0, failures - 1))
  return Math.max(firstBackoffMs, wholeMs * (0.5 + random / 2))
}
