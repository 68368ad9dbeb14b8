/** A rate limit: how much may pass in a second in the long run, and how much at once after a quiet time. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** The remaining part of a {@link Rate} at a time. */
export interface Allowance {
  readonly left: number
  /** Microseconds since the epoch, on the clock of the limited events. */
  readonly atUs: number
}

/** Add what the rate allows for the time that has passed, up to the burst. A clock that was set back adds nothing. */
export function refill(
  before: Allowance | null,
  { perSecond, burst }: Rate,
  nowUs: number,
): Allowance {
  if (before === null) return { left: burst, atUs: nowUs }
  const elapsedS = Math.max(0, nowUs - before.atUs) / 1e6
  return { left: Math.min(burst, before.left + elapsedS * perSecond), atUs: nowUs }
}
