import { backoffMs } from '@community-lab/contract'
import { describeFault } from '../executor/fault.ts'
import { createScheduler, type SliverWork } from '../executor/scheduler.ts'
import { execute, type Executors } from '../executor/table.ts'
import {
  describeWanted,
  nextRetryAtMs,
  noteFailure,
  noteSuccess,
  type Failure,
  type Failures,
} from '../plan/failure.ts'
import { plan, type Current } from '../plan/plan.ts'
import { endsSliver, type SliverStep, type Step } from '../plan/step.ts'
import type { NodeWanted } from '../plan/wanted.ts'
import { createAutoResetEvent } from './auto-reset-event.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { repeatUntilAborted } from './repeat.ts'

/** Options of {@link createReconciler}. */
export interface ReconcilerOptions {
  readonly observe: () => Promise<Current>
  readonly executors: Executors
  readonly clock: Clock
  readonly log: Log
  /** Called after each completed step. */
  readonly onStep: () => void
  /** Called when the work on a sliver has ended, successfully or not, when a sliver has ended, and when the node's boot was noted. */
  readonly onProgress: () => void
  /** The most slivers that are worked on at the same time; default 4. */
  readonly width?: number
}

/** Brings the node from its current state to its target state: it observes, plans, executes, and observes again. No plan is kept. */
export interface Reconciler {
  readonly target: NodeWanted | null
  readonly failures: Failures
  /** Use this target from now on. Running steps are completed; everything else is planned again. */
  setTarget(target: NodeWanted): void
  /** Something that the plan depends on has changed: look again. */
  look(): void
  /** A sliver has ended by itself: start it again, with a longer delay each time that it ends early. */
  noteEnded(id: string): Promise<void>
  /** Work until the signal is aborted. Resolves when the last step has ended. */
  run(signal: AbortSignal): Promise<void>
}

const defaultWidth = 4
/** The delay before the slivers are observed again after a failure. */
const backoff = { firstMs: 1_000, longestMs: 60_000, jitter: 0.1 }

/** Make a reconciler. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { observe, executors, clock, log, onStep, onProgress } = options
  const due = createAutoResetEvent(clock)
  const failures = new Map<string, Failure>()
  const ending = new AbortController()
  let target: NodeWanted | null = null
  const scheduler = createScheduler({
    width: options.width ?? defaultWidth,
    runStep,
    onIdle() {
      due.set()
      onProgress()
    },
  })

  async function runStep(
    step: SliverStep,
    work: SliverWork,
    superseded: AbortSignal,
  ): Promise<boolean> {
    const startedMs = clock.nowMs()
    const about = { sliver: step.id, step: step.kind, ...('why' in step ? { why: step.why } : {}) }
    // A step that ends a sliver is never superseded half-way; only the end of the agent shortens it.
    const signal = endsSliver(step) ? ending.signal : AbortSignal.any([ending.signal, superseded])
    log.debug(about, 'a step begins')
    try {
      await execute(executors, step, signal)
      const failure = failures.get(step.id)
      if (failure?.step === step.kind) failures.set(step.id, noteSuccess(failure, clock.nowMs()))
      log.info({ ...about, durationMs: Math.round(clock.nowMs() - startedMs) }, 'a step is done')
      onStep()
      return true
    } catch (error) {
      if (signal.aborted) {
        log.info(about, 'a step that is not wanted any more is given up')
        return false
      }
      const fault = describeFault(step.kind, error)
      fail(step.id, { step: step.kind, error: fault, wanted: work.wanted })
      log.warn({ ...about, member: fault.member, err: error }, 'a step has failed')
      return false
    }
  }

  function fail(id: string, failed: Pick<Failure, 'step' | 'error' | 'wanted'>): void {
    failures.set(id, noteFailure(failures.get(id), failed, clock.nowMs()))
  }

  /** Observe and plan once. Returns the time until a failed step may be tried again, in milliseconds; null when no step waits. */
  async function round(signal: AbortSignal): Promise<number | null> {
    if (target === null) return null
    const current = await observe()
    const wanted = target
    const nowMs = clock.nowMs()
    const steps = plan({ target: wanted, current, failures, nowMs })
    for (const step of steps) {
      if (step.kind !== 'reboot') continue
      log.info({ bootSn: step.bootSn }, 'the node is to restart its slivers')
      await execute(executors, step, signal)
      onProgress()
      due.set()
      return null
    }
    const work = divide(wanted, steps)
    forget(work, { wanted, current, nowMs })
    scheduler.offer(work)
    const retryAtMs = nextRetryAtMs(failures, nowMs)
    return retryAtMs === null ? null : retryAtMs - nowMs
  }

  /** Drop the failures of slivers that are gone, and mark those as healed for which nothing is left to do. */
  function forget(
    work: readonly SliverWork[],
    at: { wanted: NodeWanted; current: Current; nowMs: number },
  ): void {
    const known = [...at.wanted.slivers, ...at.current.slivers, ...at.current.unreadable].map(
      (sliver) => sliver.id,
    )
    for (const [id, failure] of failures) {
      if (!known.includes(id)) {
        failures.delete(id)
        continue
      }
      const settled = !work.some((one) => one.id === id) && !scheduler.isBusy(id)
      if (settled && failure.healedAtMs === null && failure.retryAtMs <= at.nowMs) {
        failures.set(id, noteSuccess(failure, at.nowMs))
        onProgress()
      }
    }
  }

  return {
    get target() {
      return target
    },
    failures,
    setTarget(next) {
      target = next
      due.set()
    },
    look: () => due.set(),
    async noteEnded(id) {
      const { slivers } = await observe()
      const ended = slivers.find((sliver) => sliver.id === id)?.ended
      const own = target?.slivers.find((sliver) => sliver.id === id)
      const running = target?.node.set_state === 'production' && own?.set_state === 'start'
      if (target && running && ended && !scheduler.isBusy(id)) {
        fail(id, { step: 'start', error: ended, wanted: describeWanted(target.node, own) })
        log.warn({ sliver: id, reason: ended.message }, 'a sliver has ended by itself')
      }
      onProgress()
      due.set()
    },
    async run(signal) {
      const end = (): void => ending.abort(signal.reason)
      signal.addEventListener('abort', end, { once: true })
      let failuresInRow = 0
      let waitMs: number | null = null
      await repeatUntilAborted(signal, async () => {
        await due.wait(waitMs, signal)
        try {
          waitMs = await round(signal)
          failuresInRow = 0
        } catch (error) {
          if (signal.aborted) throw error
          failuresInRow += 1
          waitMs = backoffMs(backoff, failuresInRow, clock.random())
          log.error({ err: error, waitMs }, "the node's slivers cannot be looked at")
        }
      })
      await scheduler.drain()
    },
  }
}

function divide(target: NodeWanted, steps: readonly Step[]): SliverWork[] {
  const sliverSteps = steps.filter((step): step is SliverStep => step.kind !== 'reboot')
  const targets = new Map(target.slivers.map((sliver) => [sliver.id, sliver]))
  return [...Map.groupBy(sliverSteps, (step) => step.id)].map(([id, own]) => ({
    id,
    steps: own,
    wanted: describeWanted(target.node, targets.get(id)),
  }))
}
