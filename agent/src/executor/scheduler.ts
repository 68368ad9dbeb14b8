import { endsSliver, type SliverStep } from '../plan/step.ts'

/** What is to be done with one sliver. */
export interface SliverWork {
  readonly id: string
  /** What is wanted of the sliver, as comparable text: a failure is noted together with it. */
  readonly wanted: string
  readonly steps: readonly SliverStep[]
}

/** Options of {@link createScheduler}. */
export interface SchedulerOptions {
  /** How many slivers are made or started at once. Any number is stopped or removed at once: that is mostly waiting, for programs that were asked to end. */
  readonly width: number
  /**
   * Carry out one step; never rejects. Returns whether the sliver's next step may follow. The signal tells that the step is not wanted any more; it may end
   * early then.
   */
  readonly runStep: (step: SliverStep, work: SliverWork, signal: AbortSignal) => Promise<boolean>
  /** Called when the work on a sliver has ended, all of it or a part, so that it can be planned for again. */
  readonly onIdle: (id: string) => void
}

/** Carries out steps: those of one sliver in order, several slivers at once. */
export interface Scheduler {
  /**
   * Replace everything that waits to be done. When the new plan does not go on as the old one did, the rest of the old one is dropped, and
   * {@link SchedulerOptions.onIdle} asks for another plan. A step that is under way is finished when the new plan begins with one of its kind; else it is
   * aborted, for a template of a gigabyte must not delay the end of its sliver.
   */
  offer(work: readonly SliverWork[]): void
  /** Whether this sliver is worked on now. */
  isBusy(id: string): boolean
  /** Start nothing more, and wait for what is under way. */
  drain(): Promise<void>
}

interface Running {
  /** The step under way and those after it, as comparable text. */
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
        // A new plan may be made of the sliver as it was before the step under way, or as it is after it. If nothing else has changed, the new steps are the
        // last ones of the old plan either way, and the work goes on.
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
