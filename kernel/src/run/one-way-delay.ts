import { anObject, checkArgument, type Kind } from '../argument.ts'

/** A time that a program has taken from the wall clock of its node, with what its row says of that clock (the columns `clock_…` of every table of samples). */
export interface ClockStamp {
  /** Seconds since the epoch. */
  readonly stamp_s: number
  readonly clock_offset_s: number | null
  readonly clock_error_s: number | null
  readonly clock_step: boolean | null
}

/** The delay of a packet in one direction, and what is certain of it. In seconds; null where nothing is. */
export interface OneWayDelay {
  readonly delay_s: number | null
  /** The delay is wrong by this at most: the sum of the bounds of both clocks. */
  readonly error_s: number | null
  /** What is certain: the true delay lies between these two. A delay is never negative. */
  readonly low_s: number | null
  readonly high_s: number | null
  /** Why the delay says nothing; null when its error is smaller than itself. */
  readonly reason: string | null
}

/**
 * Compute how long a packet was on its way, from the time at which its sender has sent it and the time at which its receiver has got it. Source: RFC 7679, section 3.7, on the
 * errors of both clocks, which are added.
 *
 * Nothing is computed when a clock is not known or was set about then. When the error is as large as the delay, `reason` says so, and only `low_s` and `high_s` mean anything.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for a row that lacks one of the columns.
 */
export function oneWayDelay(sent: ClockStamp, received: ClockStamp): OneWayDelay {
  requireStamp('sent', 'sender', sent)
  requireStamp('received', 'receiver', received)
  for (const [who, { clock_offset_s: offset, clock_error_s: error, clock_step: isStep }] of [
    ['sender', sent],
    ['receiver', received],
  ] as const) {
    if (offset === null || error === null)
      return unknown(
        `the clock of the ${who} is not known; its node tells it a minute after it was online last`,
      )
    if (isStep === true)
      return unknown(
        `the clock of the ${who} was set while this was measured; leave out rows with clock_step`,
      )
  }
  const offsetS = (received.clock_offset_s ?? 0) - (sent.clock_offset_s ?? 0)
  const delayS = received.stamp_s - sent.stamp_s + offsetS
  const errorS = (received.clock_error_s ?? 0) + (sent.clock_error_s ?? 0)
  const highS = delayS + errorS
  if (highS < 0)
    return unknown(
      `it would have arrived ${(-highS).toFixed(6)} s before it was sent: the times are not those of the nodes' wall clocks`,
    )
  return {
    delay_s: delayS,
    error_s: errorS,
    low_s: Math.max(0, delayS - errorS),
    high_s: highS,
    reason:
      errorS < delayS
        ? null
        : `the clocks are known within ${errorS.toFixed(6)} s only, and the delay is ${delayS.toFixed(6)} s; measure the round trip, or use nodes with better clocks`,
  }
}

const time: Kind = {
  expected: 'a number of seconds; packets that were lost have none',
  is: Number.isFinite,
}
const ofClock: Kind = {
  expected: 'a number of seconds or null; rows of run.sql and exports have it, live rows have not',
  is: (value) => value === null || Number.isFinite(value),
}

/** Check a row of which TypeScript knows nothing. Without the columns of the clock it would pass as one of a perfect clock. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
function requireStamp(what: string, who: string, row: ClockStamp): void {
  checkArgument(`what was ${what}`, row, anObject)
  checkArgument(`stamp_s of the ${who}`, row.stamp_s, time)
  checkArgument(`clock_offset_s of the ${who}`, row.clock_offset_s, ofClock)
  checkArgument(`clock_error_s of the ${who}`, row.clock_error_s, ofClock)
}

function unknown(reason: string): OneWayDelay {
  return { delay_s: null, error_s: null, low_s: null, high_s: null, reason }
}
