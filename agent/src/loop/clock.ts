import { setTimeout as delay } from 'node:timers/promises'

/** The time and the random numbers of the loop. A test uses its own. */
export interface Clock {
  /** Monotonic time in milliseconds since an arbitrary moment. So setting the host's clock changes no delay. */
  nowMs(): number
  /** Wait. Rejects with the signal's reason when the signal is aborted. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>
  /** Return a random number from 0 up to, but not including, 1. */
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
