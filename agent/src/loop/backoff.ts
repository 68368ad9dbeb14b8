/** How long to wait after failures in a row, in milliseconds: 1 s, doubling, at most `longestMs`, ±10 % at random. */
export function backoffMs(failuresInRow: number, longestMs: number, random: number): number {
  const waitMs = Math.min(longestMs, 1_000 * 2 ** Math.min(Math.max(0, failuresInRow - 1), 20))
  return jitterMs(waitMs, random)
}

/** A delay ±10 %, so that the nodes of a testbed do not ask all at once; `random` is 0 up to 1. */
export function jitterMs(delayMs: number, random: number): number {
  return delayMs * (0.9 + 0.2 * random)
}
