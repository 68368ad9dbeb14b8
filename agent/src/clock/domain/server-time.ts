import { offsetAt, type Estimate } from './estimate.ts'

/** An interval that contains the truth, in microseconds. */
export interface Interval {
  readonly lowUs: number
  readonly highUs: number
}

/** The server's time, in microseconds since the epoch, at a time of the monotonic clock. */
export function serverTimeAt(estimate: Estimate, monotonicUs: number): Interval {
  const { lowUs, highUs } = offsetAt(estimate, monotonicUs)
  return { lowUs: monotonicUs + lowUs, highUs: monotonicUs + highUs }
}

/** The time of the monotonic clock at which the server's clock shows a time, in microseconds: the inverse of {@link serverTimeAt}. */
export function monotonicTimeAt(
  { atUs, lowUs, highUs, driftLow, driftHigh }: Estimate,
  serverUs: number,
): Interval {
  // The earliest is by the largest offset, and the latest by the smallest. What has passed since the estimate runs at the rate of the server's clock.
  const most = serverUs - atUs - highUs
  const least = serverUs - atUs - lowUs
  return {
    lowUs: atUs + most / (1 + (most >= 0 ? driftHigh : driftLow)),
    highUs: atUs + least / (1 + (least >= 0 ? driftLow : driftHigh)),
  }
}

/** What a program of a run is told of its clocks when it begins. */
export interface ProgramClock {
  /** What to add to the wall clock that the program reads, to get the server's time. */
  readonly wallOffsetUs: Interval
  /** What to add to the kernel's monotonic clock, to get the server's time. */
  readonly monotonicOffsetUs: Interval
}

/**
 * Write what a program is told of its clocks as environment variables, in seconds with six decimals: what to add to its wall clock or to its monotonic clock to get the server's time,
 * and by how much both may be wrong when it begins. null: nothing is known, and there is no variable.
 */
export function clockVariables(clock: ProgramClock | null): Readonly<Record<string, string>> {
  if (clock === null) return {}
  const { wallOffsetUs: wall, monotonicOffsetUs: monotonic } = clock
  const half = ({ lowUs, highUs }: Interval): number => (highUs - lowUs) / 2
  return {
    COMMUNITY_LAB_CLOCK_OFFSET_S: seconds(middle(wall)),
    COMMUNITY_LAB_MONOTONIC_OFFSET_S: seconds(middle(monotonic)),
    // A bound is rounded up, by as much as the offsets may have been rounded.
    COMMUNITY_LAB_CLOCK_ERROR_S: seconds(Math.ceil(Math.max(half(wall), half(monotonic))) + 1),
  }
}

function middle({ lowUs, highUs }: Interval): number {
  return (lowUs + highUs) / 2
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(6)
}
