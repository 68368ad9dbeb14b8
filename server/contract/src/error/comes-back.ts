import { LabError } from './lab-error.ts'

/** How much later than it was told somebody comes back at most, as a share of that time. */
const jitter = 0.1
/** Nobody is left alone for longer than an hour. Timers hold 24 days at most, and one that is set to more, or to no number, ends at once. */
const longestS = 3_600

/**
 * How long a server that refused a request for now has asked to be left alone, in milliseconds, and at random up to a tenth more, so that those who were
 * refused together do not come back together; 0 for every other error. `random` is from 0 up to 1.
 */
export function askedDelayMs(error: unknown, random = Math.random()): number {
  if (LabError.is(error, 'LAB_SERVER_BUSY') || LabError.is(error, 'LAB_REQUEST_RATE_LIMITED'))
    return secondsOf(error.details.retryAfterS) * 1000 * (1 + jitter * random)
  return 0
}

/** Details come from another program, perhaps of another version. */
function secondsOf(asked: unknown): number {
  return typeof asked === 'number' && asked > 0 ? Math.min(asked, longestS) : 0
}
