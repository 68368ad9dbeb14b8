import type { Clock } from '../loop/clock.ts'

/** The time after a failed download before the next one, in milliseconds. */
const againMs = 5_000

/** Downloads that go on while the other runs are looked at. */
export interface Fetching {
  /** Tell whether a download for a run goes on, or has just failed. */
  has(id: string): boolean
  /** Begin one. `fetch` returns whether it has succeeded, and does not throw. */
  begin(id: string, signal: AbortSignal, fetch: () => Promise<boolean>): void
}

/** Make a {@link Fetching} without downloads. `onEnd` is called when one may be begun again. */
export function createFetching(clock: Clock, onEnd: () => void): Fetching {
  const going = new Set<string>()
  async function follow(signal: AbortSignal, fetch: () => Promise<boolean>): Promise<void> {
    if (!(await fetch())) await clock.wait(againMs, signal)
  }
  return {
    has: (id) => going.has(id),
    begin(id, signal, fetch) {
      going.add(id)
      void follow(signal, fetch)
        // The agent is ending.
        .catch(() => undefined)
        .finally(() => {
          going.delete(id)
          onEnd()
        })
    },
  }
}
