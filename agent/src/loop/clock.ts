import { setTimeout as delay } from 'node:timers/promises'

/** Time and chance, as the loop uses them; a test brings its own. */
export interface Clock {
  /** Milliseconds that only ever grow; their zero means nothing, so that setting the host's clock disturbs no wait. */
  nowMs(): number
  /** Wait; rejects with the signal's reason when it ends the wait. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>
  /** 0 up to 1. */
  random(): number
}

/** The host's own. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  async wait(delayMs, signal) {
    await delay(delayMs, undefined, { signal })
  },
}
