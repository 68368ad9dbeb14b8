/**
 * How far the server's clock is ahead of the node's steady clock, as an interval that contains the truth.
 *
 * A question that left at `sent` and whose answer arrived at `received`, with the server's time `server` in it, proves that the offset is between `server - received` and
 * `server - sent`: the answer was made after the question was sent, and before it arrived. Nothing is assumed about how the time was shared between the two
 * directions. Intervals of several exchanges are intersected, so the quickest ones decide, as in the clock filter of NTP. Source: Cristian, "Probabilistic clock
 * synchronization" (1989), section 3; RFC 5905, sections 8 and 10; Marzullo and Owicki, "Maintaining the time in a distributed system" (1983).
 */

/** Offsets between two clocks at a time of the node's steady clock. All in microseconds. */
export interface Reading {
  readonly atUs: number
  readonly lowUs: number
  readonly highUs: number
  /** The duration of the exchange. */
  readonly rttUs: number
  /** Who has said it. */
  readonly source: 'server'
}

/** What is known of the offset, and how fast it changes (microseconds per microsecond). */
export interface Estimate extends Reading {
  readonly driftLow: number
  readonly driftHigh: number
  /** Earlier intervals, the oldest first, from which the drift is computed. */
  readonly references: readonly Pick<Reading, 'atUs' | 'lowUs' | 'highUs'>[]
}

/** The most that two clocks drift apart. Source: Linux, `MAXFREQ` of adjtimex(2): the kernel corrects a clock by 500 ppm at most, and no crystal needs more. */
export const maxDrift = 500e-6
/** The most that the drift of one clock differs from its mean. Source: RFC 5905, section 7.1, PHI: a frequency tolerance of 15 ppm. */
export const wander = 15e-6

const referenceEveryUs = 300e6
const mostReferences = 12

/** The reading that an exchange with the server is. Times of the server have steps of `resolutionUs`, and are rounded down. */
export function readExchange(exchange: {
  readonly sentUs: number
  readonly receivedUs: number
  readonly serverUs: number
  readonly resolutionUs: number
}): Reading {
  const { sentUs, receivedUs, serverUs, resolutionUs } = exchange
  const rttUs = receivedUs - sentUs
  // The server has answered at a time before `received`, and the offset may have changed since.
  const changeUs = rttUs * maxDrift
  return {
    atUs: receivedUs,
    lowUs: serverUs - receivedUs - changeUs,
    highUs: serverUs + resolutionUs - sentUs + changeUs,
    rttUs,
    source: 'server',
  }
}

/** Compute the offset at another time from what is known; its bound grows with the distance. */
export function offsetAt(
  { atUs, lowUs, highUs, driftLow, driftHigh }: Estimate,
  timeUs: number,
): { readonly lowUs: number; readonly highUs: number } {
  const forUs = timeUs - atUs
  return forUs >= 0
    ? { lowUs: lowUs + driftLow * forUs, highUs: highUs + driftHigh * forUs }
    : { lowUs: lowUs + driftHigh * forUs, highUs: highUs + driftLow * forUs }
}

/** Begin with a first reading. */
export function beginEstimate(reading: Reading): Estimate {
  const { atUs, lowUs, highUs } = reading
  return {
    ...reading,
    driftLow: -maxDrift,
    driftHigh: maxDrift,
    references: [{ atUs, lowUs, highUs }],
  }
}

/**
 * Add a reading to what is known. Returns null when the two cannot both be true: one of the clocks was set, or its rate has changed by more than {@link wander}. Then begin again
 * with {@link beginEstimate}.
 */
export function addReading(known: Estimate, reading: Reading): Estimate | null {
  const { atUs } = reading
  const before = offsetAt(known, atUs)
  const lowUs = Math.max(before.lowUs, reading.lowUs)
  const highUs = Math.min(before.highUs, reading.highUs)
  if (lowUs > highUs) return null
  // The round trip of an estimate is the shortest one that still decides it.
  const isBetter = reading.highUs - reading.lowUs <= before.highUs - before.lowUs
  const { rttUs, source } = isBetter ? reading : known
  const drift = driftBetween(known.references, { atUs, lowUs, highUs })
  const references = nextReferences(known.references, { atUs, lowUs, highUs })
  return { atUs, lowUs, highUs, rttUs, source, ...drift, references }
}

type Interval = Pick<Reading, 'atUs' | 'lowUs' | 'highUs'>

/** Compute the drift from the mean drift since each of the references. */
function driftBetween(
  references: readonly Interval[],
  now: Interval,
): Pick<Estimate, 'driftLow' | 'driftHigh'> {
  let driftLow = -maxDrift
  let driftHigh = maxDrift
  for (const then of references) {
    const forUs = now.atUs - then.atUs
    if (forUs <= 0) continue
    driftLow = Math.max(driftLow, (now.lowUs - then.highUs) / forUs - wander)
    driftHigh = Math.min(driftHigh, (now.highUs - then.lowUs) / forUs + wander)
  }
  // The means contradict each other, so the rate has changed more than was assumed.
  return driftLow <= driftHigh
    ? { driftLow, driftHigh }
    : { driftLow: -maxDrift, driftHigh: maxDrift }
}

/** Keep an interval every five minutes for an hour. A young one gives way to a better one, because the first exchanges of a connection are often slow. */
function nextReferences(references: readonly Interval[], now: Interval): readonly Interval[] {
  const last = references.at(-1)
  if (last === undefined) return [now]
  const ageUs = now.atUs - last.atUs
  if (ageUs >= referenceEveryUs) return [...references, now].slice(-mostReferences)
  const isBetter = now.highUs - now.lowUs < (last.highUs - last.lowUs) / 2
  return isBetter && ageUs < referenceEveryUs / 5 ? [...references.slice(0, -1), now] : references
}
