import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../../../agent/src/loop/clock.ts'

/** A clock that stands until it is told to go on. */
export interface TestClock extends Clock {
  /** Let time pass, in milliseconds: what waits for it goes on in order. */
  pass(ms: number): Promise<void>
}

interface Waiter {
  readonly atMs: number
  readonly wake: () => void
}

export function createTestClock(): TestClock {
  let nowMs = 0
  let waiters: Waiter[] = []

  async function settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await nextTurn()
  }

  return {
    nowMs: () => nowMs,
    random: () => 0.5,
    wait(delayMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const waiter = { atMs: nowMs + delayMs, wake: () => resolve(undefined) }
      waiters.push(waiter)
      signal.addEventListener('abort', () => {
        waiters = waiters.filter((one) => one !== waiter)
        reject(signal.reason as Error)
      })
      return promise
    },
    async pass(ms) {
      const untilMs = nowMs + ms
      await settle()
      for (;;) {
        const [next] = waiters.toSorted((a, b) => a.atMs - b.atMs)
        if (next === undefined || next.atMs > untilMs) break
        nowMs = next.atMs
        waiters = waiters.filter((one) => one !== next)
        next.wake()
        await settle()
      }
      nowMs = untilMs
    },
  }
}
