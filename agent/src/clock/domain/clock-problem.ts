import type { ClockState } from './state.ts'
import { middleOf } from './wall.ts'

/** A wall clock that is further from the server's than this is a problem, in microseconds. Logs and certificates are wrong then. */
const badUs = 1_000_000

/**
 * Say what is wrong with the node's wall clock, and what to do; null when it is right, or nobody knows.
 * @param offset - how far the server's clock is ahead of the node's monotonic clock, in microseconds
 */
export function describeClock(
  { wall }: Pick<ClockState, 'wall'>,
  offset: { readonly lowUs: number; readonly highUs: number },
): string | null {
  const aheadUs = middleOf(wall) - middleOf(offset)
  const errorUs = (offset.highUs - offset.lowUs) / 2
  if (Math.abs(aheadUs) - errorUs <= badUs) return null
  const way = aheadUs > 0 ? 'ahead of' : 'behind'
  return (
    `the clock is ${seconds(Math.abs(aheadUs))} s ${way} the server's (± ${seconds(errorUs)} s): ` +
    'set it, best by an NTP client such as chrony (apt install chrony). The times of samples are corrected'
  )
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(3)
}
