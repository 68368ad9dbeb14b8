import type { Clock } from './clock.ts'

/** An event that one waiter waits for. Setting it before the wait ends that wait at once; setting it several times counts once; a wait that ends resets it. */
export interface AutoResetEvent {
  set(): void
  /** Wait until the event is set, or until the time has passed (null: without a limit). Tells which. Rejects when the signal ends the wait. */
  wait(withinMs: number | null, signal: AbortSignal): Promise<'set' | 'timeout'>
}

/** Make an event for one waiter. */
export function createAutoResetEvent(clock: Clock): AutoResetEvent {
  let isSet = false
  let wake: (() => void) | null = null
  return {
    set() {
      isSet = true
      wake?.()
    },
    async wait(withinMs, signal) {
      signal.throwIfAborted()
      if (!isSet) await untilSet(withinMs, signal)
      const outcome = isSet ? 'set' : 'timeout'
      isSet = false
      return outcome
    },
  }

  async function untilSet(withinMs: number | null, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    const either = AbortSignal.any([signal, woken.signal])
    wake = () => woken.abort()
    try {
      if (withinMs === null) await aborted(either)
      else await clock.wait(withinMs, either)
    } catch (error) {
      // Setting the event ends the clock's wait as an abort does.
      if (!woken.signal.aborted) throw error
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
