import { setTimeout as delay } from 'node:timers/promises'

/** The time and the random numbers that the loop uses; a test brings its own. */
export interface Clock {
  /** Monotonic time in milliseconds, with an arbitrary zero. So setting the host's clock disturbs no wait. */
  nowMs(): number
  /** Wait; rejects with the signal's reason when it ends the wait. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>
  /** A random number, 0 up to 1. */
  random(): number
}

/** The host's own clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  async wait(delayMs, signal) {
    await delay(delayMs, undefined, { signal })
  },
}
