import { LabError } from './lab-error.ts'

/** The largest random addition to a requested delay, as a share of it. */
const jitter = 0.1
/** The longest delay is an hour, in seconds. Timers take 24 days at most; one with a longer time, or with no number, ends at once. */
const longestS = 3_600

/**
 * Return how long a server that refused a request has asked the client to wait, in milliseconds, and up to a tenth more at random, so that clients that were
 * refused together do not return together; 0 for every other error. `random` is from 0 up to 1.
 */
export function askedDelayMs(error: unknown, random = Math.random()): number {
  if (LabError.is(error, 'LAB_SERVER_BUSY') || LabError.is(error, 'LAB_REQUEST_RATE_LIMITED'))
    return secondsOf(error.details.retryAfterS) * 1000 * (1 + jitter * random)
  return 0
}

/** The details come from another program, which may have another version. */
function secondsOf(asked: unknown): number {
  return typeof asked === 'number' && asked > 0 ? Math.min(asked, longestS) : 0
}
