import type { SliverStep } from '../plan/step.ts'

/** What is to be done with one sliver. */
export interface SliverWork {
  readonly id: string
  /** What is wanted of it, comparably: a failure is noted against this. */
  readonly wanted: string
  readonly steps: readonly SliverStep[]
}

/** Options of {@link createLanes}. */
export interface LanesOptions {
  /** How many slivers are worked on at once. */
  readonly width: number
  /** Carry out one step; never rejects. Returns whether the sliver's next step may follow. */
  readonly runStep: (step: SliverStep, work: SliverWork) => Promise<boolean>
  /** Called when work on a sliver has ended, all of it or some, so that it can be planned for again. */
  readonly onIdle: (id: string) => void
}

/** Works on slivers: the steps of one in order, several slivers at once. */
export interface Lanes {
  /**
   * Replace what waits to be done. A step that is under way is finished first; if what follows it is not what is wanted any more, the rest is dropped,
   * and {@link LanesOptions.onIdle} asks for a new plan.
   */
  offer(work: readonly SliverWork[]): void
  /** Whether this sliver is worked on now. */
  isBusy(id: string): boolean
  /** Start nothing more, and wait for what is under way. */
  drain(): Promise<void>
}

interface Lane {
  /** The step under way and those after it, comparably. */
  remaining: string
  superseded: boolean
}

/** Make the lanes. */
export function createLanes({ width, runStep, onIdle }: LanesOptions): Lanes {
  const busy = new Map<string, Lane>()
  const running = new Set<Promise<void>>()
  let waiting = new Map<string, SliverWork>()
  let draining = false

  function fill(): void {
    for (const [id, work] of waiting) {
      if (draining || busy.size >= width) return
      waiting.delete(id)
      const lane = { remaining: describe(work.steps), superseded: false }
      busy.set(id, lane)
      const run = runLane(work, lane).finally(() => running.delete(run))
      running.add(run)
    }
  }

  async function runLane(work: SliverWork, lane: Lane): Promise<void> {
    for (const [index, step] of work.steps.entries()) {
      const mayGoOn = await runStep(step, work)
      if (!mayGoOn || lane.superseded || draining) break
      lane.remaining = describe(work.steps.slice(index + 1))
    }
    busy.delete(work.id)
    fill()
    onIdle(work.id)
  }

  return {
    offer(offered) {
      waiting = new Map(offered.map((work) => [work.id, work]))
      for (const [id, lane] of busy) {
        // A plan made while a step is under way sees its sliver from before that step or from after it: both are tails of what remains.
        const steps = waiting.get(id)?.steps ?? []
        lane.superseded = steps.length === 0 || !lane.remaining.endsWith(describe(steps))
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

function describe(steps: readonly SliverStep[]): string {
  return steps.map((step) => JSON.stringify(step)).join('\n')
}
