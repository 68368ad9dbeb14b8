import type { Clock } from '../loop/clock.ts'

/** The time after a failed attempt before the next one, in milliseconds. */
const againMs = 5_000

/** Work that goes on, one piece for a run, while the other runs are looked at. */
export interface RunTasks {
  /** Tell whether the work for a run goes on, or has just failed. */
  has(id: string): boolean
  /** Begin it. `work` returns whether it has succeeded, and does not throw. */
  begin(id: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<boolean>): void
  /** End the work for a run, which needs it no more. */
  end(id: string): void
}

/** Make {@link RunTasks} without work. `onEnd` is called when work for a run may be begun again. */
export function createRunTasks(clock: Clock, onEnd: () => void): RunTasks {
  const going = new Map<string, AbortController>()
  async function follow(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<boolean>,
  ): Promise<void> {
    if (!(await work(signal))) await clock.wait(againMs, signal)
  }
  return {
    has: (id) => going.has(id),
    begin(id, signal, work) {
      const own = new AbortController()
      going.set(id, own)
      void follow(AbortSignal.any([signal, own.signal]), work)
        // The agent is ending, or the run needs it no more.
        .catch(() => undefined)
        .finally(() => {
          going.delete(id)
          onEnd()
        })
    },
    end: (id) => going.get(id)?.abort(new Error('the run needs it no more')),
  }
}
