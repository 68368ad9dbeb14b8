import { endsSliver, type SliverStep } from '../plan/step.ts'

/** The work on one sliver. */
export interface SliverWork {
  readonly id: string
  /** The target of the sliver as comparable text. A failure is recorded together with it. */
  readonly wanted: string
  readonly steps: readonly SliverStep[]
}

/** Options of {@link createScheduler}. */
export interface SchedulerOptions {
  /** The most slivers that are made or started at the same time. Stopping and removing are not limited: they mostly wait for programs to end. */
  readonly width: number
  /**
   * Execute one step; never rejects. Returns whether the sliver's next step may follow. An aborted signal means that the step is not needed any more; then it
   * may end early.
   */
  readonly runStep: (step: SliverStep, work: SliverWork, signal: AbortSignal) => Promise<boolean>
  /** Called when the work on a sliver has ended, completely or in part, so that it can be planned again. */
  readonly onIdle: (id: string) => void
}

/** Executes steps: those of one sliver in order, several slivers in parallel. */
export interface Scheduler {
  /**
   * Replace all waiting work. When the new plan does not continue the old one, the rest of the old one is dropped, and {@link SchedulerOptions.onIdle} requests
   * another plan. A running step is completed when the new plan begins with a step of the same kind. Otherwise it is aborted, because a template of a gigabyte
   * must not delay the end of its sliver.
   */
  offer(work: readonly SliverWork[]): void
  /** Tell whether this sliver is being worked on. */
  isBusy(id: string): boolean
  /** Start no more steps, and wait for the running ones. */
  drain(): Promise<void>
}

interface Running {
  /** The running step and those after it, as comparable text. */
  remaining: string
  kind: SliverStep['kind']
  superseded: boolean
  readonly abort: AbortController
}

/** Make a scheduler. */
export function createScheduler({ width, runStep, onIdle }: SchedulerOptions): Scheduler {
  const busy = new Map<string, Running>()
  const running = new Set<Promise<void>>()
  let waiting = new Map<string, SliverWork>()
  let draining = false

  function fill(): void {
    for (const [id, work] of waiting) {
      const [first] = work.steps
      if (draining) return
      if (first === undefined) continue
      const ends = endsSliver(first)
      if (!ends && countMade() >= width) continue
      waiting.delete(id)
      const steps = ends ? takeWhile(work.steps, endsSliver) : work.steps
      const { kind } = first
      const abort = new AbortController()
      const progress = { remaining: describe(work.steps), kind, superseded: false, abort }
      busy.set(id, progress)
      const run = runSteps({ ...work, steps }, progress).finally(() => running.delete(run))
      running.add(run)
    }
  }

  function countMade(): number {
    return [...busy.values()].filter((one) => !endsSliver(one)).length
  }

  async function runSteps(work: SliverWork, progress: Running): Promise<void> {
    for (const [index, step] of work.steps.entries()) {
      progress.kind = step.kind
      const mayGoOn = await runStep(step, work, progress.abort.signal)
      if (!mayGoOn || progress.superseded || draining) break
      progress.remaining = describe(work.steps.slice(index + 1))
    }
    busy.delete(work.id)
    fill()
    onIdle(work.id)
  }

  return {
    offer(offered) {
      waiting = new Map(offered.map((work) => [work.id, work]))
      for (const [id, progress] of busy) {
        // The new plan may have been made from the state before the running step or after it. If nothing else has changed, the new steps are the last ones of
        // the old plan in both cases, and the work goes on.
        const steps = waiting.get(id)?.steps ?? []
        progress.superseded = steps.length === 0 || !progress.remaining.endsWith(describe(steps))
        if (progress.superseded && steps[0]?.kind !== progress.kind) progress.abort.abort()
        waiting.delete(id)
      }
      fill()
    },
    isBusy: (id) => busy.has(id),
    async drain() {
      draining = true
      waiting.clear()
      await Promise.all(running)
    },
  }
}

function takeWhile<T>(list: readonly T[], isSo: (one: T) => boolean): readonly T[] {
  const end = list.findIndex((one) => !isSo(one))
  return end === -1 ? list : list.slice(0, end)
}

function describe(steps: readonly SliverStep[]): string {
  return steps.map((step) => JSON.stringify(step)).join('\n')
}
