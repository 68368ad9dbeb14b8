import { clockMeasurement, type TimeAnswered } from '@community-lab/contract'
import { nodeSource, setSampleClock } from '../measurement/sample.ts'
import type { Spool } from '../measurement/spool/spool.ts'
import type { StreamClock } from '../measurement/uplink/time-exchange.ts'
import type { NodeProblems } from '../report/problems.ts'
import type { UtcClock } from './domain/chrony.ts'
import { describeClock } from './domain/clock-problem.ts'
import { clockFields } from './domain/clock-fields.ts'
import {
  addReading,
  beginEstimate,
  offsetAt,
  readExchange,
  type Estimate,
  type Reading,
} from './domain/estimate.ts'
import {
  monotonicTimeAt,
  serverTimeAt,
  type Interval,
  type ProgramClock,
} from './domain/server-time.ts'
import { parseClockState, type ClockState } from './domain/state.ts'
import { compareClocks, followStep, type Step } from './domain/wall.ts'
import { wallResolutionUs, type ClockSource } from './source.ts'

/** Options of {@link openNodeClock}. */
export interface NodeClockOptions {
  readonly source: ClockSource
  /** The id of the host's current boot. */
  readonly bootId: string
  readonly spool: Pick<Spool, 'append' | 'mark'>
  readonly problems: Pick<NodeProblems, 'set' | 'clear'>
  /** Tell the catcher how to compute the steady clock: the kernel's monotonic clock times `rate`, plus `baseUs`. Returns false when that is not possible now, as on a full disk. */
  tellCatcher(baseUs: number, rate: number): boolean
  /** Ask who knows UTC on this host. It never throws. Default: nobody does. */
  readonly askUtc?: ((signal: AbortSignal) => Promise<UtcClock | null>) | undefined
}

/** What the node knows of the server's time. Each answer is an interval that contains the truth, in microseconds; null while the offset is not known. */
export interface ServerClock {
  /** The server's time now, since the epoch. */
  serverTime(): Interval | null
  /** What the kernel's monotonic clock (`CLOCK_MONOTONIC`) shows when the server's clock shows `serverUs`. The interval is smaller the nearer that is. */
  monotonicAt(serverUs: number): Interval | null
  /** What a program in a sliver has to add to the clocks that it reads. */
  programClock(): ProgramClock | null
}

/** The node's clock: the time of its samples, and what is known of it. */
export interface NodeClock extends StreamClock, ServerClock {
  /** Compare wall and monotonic clock, and tell what is due, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>
  /** Compare once. */
  look(): void
}

const markKey = 'clock'
/** The interval of comparisons. A step is noticed after this time at most, so this is how long samples are in doubt. */
const lookEveryMs = 250
/** The interval of questions for UTC. They start a process. */
const askUtcEveryMs = 50_000
/** The interval of rows, while nothing happens. */
const tellEveryUs = 60e6

/**
 * Open the clock of the node. From then on, samples have the time of the steady clock: the wall clock when the host was started, plus the monotonic time since. So the time of a
 * sample does not depend on when somebody sets the wall clock, and costs nothing to correct later. What is known of this clock is told in rows of `clock`.
 */
export function openNodeClock(options: NodeClockOptions): NodeClock {
  const { source, bootId, spool, problems, tellCatcher, askUtc } = options
  const listeners = new Set<() => void>()
  let estimate: Estimate | null = null
  let toldUs = Number.NEGATIVE_INFINITY
  let toldErrorUs = Infinity
  let utc: UtcClock | null = null
  const begun = begin(parseClockState(spool.mark(markKey)))
  let { state } = begun
  tellCatcher(state.baseUs + source.aheadUs, source.rate)
  setSampleClock(() => Math.round(source.monotonicUs() + state.baseUs))
  if (begun.step === null) tell()
  else takeStep(begun.step)

  function compare(known: ClockState['wall'] | null): ReturnType<typeof compareClocks> {
    const beforeUs = source.monotonicUs()
    const wallUs = source.wallUs()
    const afterUs = source.monotonicUs()
    return compareClocks(known, { beforeUs, wallUs, afterUs, resolutionUs: wallResolutionUs })
  }

  /** Go on where the agent of this boot has ended. What was known of the offset is not: nobody has looked meanwhile. */
  function begin(kept: ClockState | null): {
    readonly state: ClockState
    readonly step: Step | null
  } {
    const epoch = (kept?.epoch ?? 0) + 1
    const isSameBoot = kept !== null && kept.boot === bootId
    const { wall, step } = compare(isSameBoot ? kept.wall : null)
    const baseUs = isSameBoot ? kept.baseUs : Math.round(wall.lowUs)
    return { state: { version: 1, boot: bootId, baseUs, epoch, wall }, step }
  }

  function tell(step: (Step & { readonly movedUs: number }) | null = null): void {
    const monotonicUs = source.monotonicUs()
    const fields = clockFields({ state, estimate, step, monotonicUs, utc })
    const row = {
      time_us: Math.round(monotonicUs + state.baseUs),
      source: nodeSource,
      name: clockMeasurement,
      fields,
    }
    spool.append([row], { marks: { [markKey]: state } })
    toldUs = monotonicUs
    toldErrorUs = estimate === null ? Infinity : errorAt(estimate, monotonicUs)
    const problem = estimate === null ? null : describeClock(state, offsetAt(estimate, monotonicUs))
    if (problem === null) problems.clear(markKey)
    else problems.set(markKey, { member: '', message: problem })
  }

  function takeStep(step: Step): void {
    const wantedUs = Math.round(followStep(step.byUs))
    const baseUs = state.baseUs + wantedUs
    const moved = wantedUs !== 0 && tellCatcher(baseUs + source.aheadUs, source.rate) ? wantedUs : 0
    state = { ...state, baseUs: state.baseUs + moved, epoch: state.epoch + 1 }
    // The host may have been suspended, and its monotonic clock may have stood still.
    estimate = null
    utc = null
    tell({ ...step, movedUs: moved })
    for (const listener of listeners) listener()
  }

  function look(): void {
    const { wall, step } = compare(state.wall)
    state = { ...state, wall }
    if (step !== null) takeStep(step)
    else if (source.monotonicUs() - toldUs >= tellEveryUs) tell()
  }

  function takeReading(reading: Reading): void {
    // A step that happened before the reading must not be mixed up with it.
    look()
    const before = estimate
    estimate = before === null ? beginEstimate(reading) : addReading(before, reading)
    if (estimate === null) {
      estimate = beginEstimate(reading)
      state = { ...state, epoch: state.epoch + 1 }
      tell()
    } else if (before === null || errorAt(estimate, reading.atUs) < toldErrorUs / 2) tell()
  }

  /** The kernel's monotonic clock, whose time is that of the source without the rate of a virtual node. */
  function toKernelUs(monotonicUs: number): number {
    return (monotonicUs - source.aheadUs) / source.rate
  }

  function programClock(): ProgramClock | null {
    if (estimate === null) return null
    const beforeUs = source.monotonicUs()
    const wallUs = source.programWallUs()
    const afterUs = source.monotonicUs()
    const before = serverTimeAt(estimate, beforeUs)
    const after = serverTimeAt(estimate, afterUs)
    const kernelUs = toKernelUs(beforeUs)
    return {
      wallOffsetUs: {
        lowUs: before.lowUs - wallUs - wallResolutionUs,
        highUs: after.highUs - wallUs,
      },
      monotonicOffsetUs: { lowUs: before.lowUs - kernelUs, highUs: before.highUs - kernelUs },
    }
  }

  return {
    monotonicUs: () => Math.floor(source.monotonicUs()),
    serverTime: () => (estimate === null ? null : serverTimeAt(estimate, source.monotonicUs())),
    monotonicAt(serverUs) {
      if (estimate === null) return null
      const { lowUs, highUs } = monotonicTimeAt(estimate, serverUs)
      return { lowUs: toKernelUs(lowUs), highUs: toKernelUs(highUs) }
    },
    programClock,
    look,
    take(answer: TimeAnswered, receivedUs: number) {
      takeReading(
        readExchange({
          sentUs: answer.sent_us,
          // It was rounded down to a whole microsecond.
          receivedUs: receivedUs + 1,
          serverUs: answer.server_us,
          resolutionUs: answer.resolution_us,
        }),
      )
    },
    onNeed(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    run: (signal) =>
      new Promise((resolve) => {
        const timer = setInterval(look, lookEveryMs)
        const ask = (): void => {
          const { epoch } = state
          void askUtc?.(signal).then((answer) => {
            // The clock may have been set since.
            utc = state.epoch === epoch ? answer : null
          })
        }
        const asking = setInterval(ask, askUtcEveryMs)
        const end = (): void => {
          clearInterval(timer)
          clearInterval(asking)
          resolve()
        }
        if (signal.aborted) {
          end()
          return
        }
        signal.addEventListener('abort', end, { once: true })
        ask()
      }),
  }
}

function errorAt(estimate: Estimate, atUs: number): number {
  const { lowUs, highUs } = offsetAt(estimate, atUs)
  return (highUs - lowUs) / 2
}
