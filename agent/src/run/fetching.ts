import type { Clock } from '../loop/clock.ts'

/** The time after a failed download before the next one, in milliseconds. */
const againMs = 5_000

/** Downloads that go on while the other runs are looked at. */
export interface Fetching {
  /** Tell whether a download for a run goes on, or has just failed. */
  has(id: string): boolean
  /** Begin one. `fetch` returns whether it has succeeded, and does not throw. */
  begin(id: string, signal: AbortSignal, fetch: (signal: AbortSignal) => Promise<boolean>): void
  /** End the download for a run, which needs it no more. */
  end(id: string): void
}

/** Make a {@link Fetching} without downloads. `onEnd` is called when one may be begun again. */
export function createFetching(clock: Clock, onEnd: () => void): Fetching {
  const going = new Map<string, AbortController>()
  async function follow(
    signal: AbortSignal,
    fetch: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<void> {
    if (!(await fetch(signal))) await clock.wait(againMs, signal)
  }
  return {
    has: (id) => going.has(id),
    begin(id, signal, fetch) {
      const own = new AbortController()
      going.set(id, own)
      void follow(AbortSignal.any([signal, own.signal]), fetch)
        // The agent is ending, or the run has ended.
        .catch(() => undefined)
        .finally(() => {
          going.delete(id)
          onEnd()
        })
    },
    end: (id) => going.get(id)?.abort(new Error('its run has ended')),
  }
}
