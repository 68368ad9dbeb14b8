import type { FieldValue } from '@community-lab/contract'
import type { UtcClock } from './chrony.ts'
import { offsetAt, type Estimate } from './estimate.ts'
import type { ClockState } from './state.ts'
import { middleOf, type Step } from './wall.ts'

/** What a row of `clock` tells. */
export interface ClockNews {
  readonly state: ClockState
  readonly estimate: Estimate | null
  readonly step: (Step & { readonly movedUs: number }) | null
  /** The monotonic clock at the time of the row, in microseconds. */
  readonly monotonicUs: number
  /** null: nobody on the node knows UTC. */
  readonly utc: UtcClock | null
}

/** Make the fields of a row of `clock`. The meaning of each is that of `clockMeasurement` in the contract. Offsets are relative to the steady clock. */
export function clockFields(news: ClockNews): Record<string, FieldValue> {
  const { state, estimate, step, monotonicUs, utc } = news
  return {
    ...(estimate === null ? {} : offsetFields(estimate, news)),
    ...(utc === null ? {} : { utc_offset_s: utc.offsetS, utc_error_s: utc.errorS }),
    wall_s: (middleOf(state.wall) - state.baseUs) / 1e6,
    ...(step === null
      ? {}
      : {
          step_s: step.byUs / 1e6,
          unsure_s: (step.foundUs - step.afterUs) / 1e6,
          moved_s: step.movedUs / 1e6,
        }),
    epoch: state.epoch,
    boot_id: state.boot,
    monotonic_s: monotonicUs / 1e6,
  }
}

/** The estimate is of the monotonic clock, and rows are of the steady clock, which is ahead of it by the base. */
function offsetFields(
  estimate: Estimate,
  { state: { baseUs }, monotonicUs }: ClockNews,
): Record<string, FieldValue> {
  const { lowUs, highUs } = offsetAt(estimate, monotonicUs)
  const { rttUs, source, driftLow, driftHigh } = estimate
  return {
    offset_s: ((lowUs + highUs) / 2 - baseUs) / 1e6,
    error_s: (highUs - lowUs) / 2 / 1e6,
    drift_ratio: (driftLow + driftHigh) / 2,
    drift_error_ratio: (driftHigh - driftLow) / 2,
    rtt_s: rttUs / 1e6,
    source,
  }
}
