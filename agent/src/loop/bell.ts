import type { Clock } from './clock.ts'

/** Wakes one waiter. A ring before the wait is heard too; many rings before it are heard as one. */
export interface Bell {
  ring(): void
  /** Wait for a ring, or until the time has passed (null: for a ring alone). Tells which. Rejects when the signal ends it. */
  heard(withinMs: number | null, signal: AbortSignal): Promise<'ring' | 'time'>
}

/** Make a bell for one waiter. */
export function createBell(clock: Clock): Bell {
  let rung = false
  let wake: (() => void) | null = null
  return {
    ring() {
      rung = true
      wake?.()
    },
    async heard(withinMs, signal) {
      signal.throwIfAborted()
      if (!rung) await untilRung(withinMs, signal)
      const heard = rung ? 'ring' : 'time'
      rung = false
      return heard
    },
  }

  async function untilRung(withinMs: number | null, signal: AbortSignal): Promise<void> {
    const rings = new AbortController()
    const either = AbortSignal.any([signal, rings.signal])
    wake = () => rings.abort()
    try {
      if (withinMs === null) await aborted(either)
      else await clock.wait(withinMs, either)
    } catch (error) {
      // A ring ends the wait as an abort does.
      if (!rings.signal.aborted) throw error
    } finally {
      wake = null
    }
    signal.throwIfAborted()
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<null>()
  signal.addEventListener('abort', () => resolve(null), { once: true })
  if (!signal.aborted) await promise
}
