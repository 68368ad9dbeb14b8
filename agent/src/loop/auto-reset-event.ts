import type { Clock } from './clock.ts'

/** An event for one waiter. When it is set before the wait, that wait ends at once. Setting it several times counts once. The end of a wait resets it. */
export interface AutoResetEvent {
  set(): void
  /** Wait until the event is set, or until the time has passed (null: no limit). Returns which of the two. Rejects when the signal is aborted. */
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
      // Setting the event ends the clock's wait like an abort.
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
