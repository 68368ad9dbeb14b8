/** What is known of the wall clock: how far it is ahead of the steady clock, at a time of the latter. In microseconds. */
export interface WallClock {
  /** The time of the last comparison. */
  readonly atUs: number
  readonly lowUs: number
  readonly highUs: number
}

/** A comparison: the wall clock was read between two readings of the steady clock. It has steps of `resolutionUs`, and is rounded down. */
export interface Comparison {
  readonly beforeUs: number
  readonly wallUs: number
  readonly afterUs: number
  readonly resolutionUs: number
}

/** A step of the wall clock: somebody has set it. */
export interface Step {
  /** How far it was set forward; negative: back. */
  readonly byUs: number
  /** The last comparison before it, and the one that has found it. */
  readonly afterUs: number
  readonly foundUs: number
}

/**
 * Compare the wall clock with the steady clock. Linux corrects the rates of both together (clock_gettime(2)), so their difference changes only when the wall clock is set,
 * or when the host was suspended. What one comparison leaves open is an interval. A step is found when no difference fits all comparisons since the last
 * step: so each reported step has happened, however busy the machine was.
 */
export function compareClocks(
  known: WallClock | null,
  { beforeUs, wallUs, afterUs, resolutionUs }: Comparison,
): { readonly wall: WallClock; readonly step: Step | null } {
  const seen = { atUs: afterUs, lowUs: wallUs - afterUs, highUs: wallUs + resolutionUs - beforeUs }
  if (known === null) return { wall: seen, step: null }
  const lowUs = Math.max(known.lowUs, seen.lowUs)
  const highUs = Math.min(known.highUs, seen.highUs)
  if (lowUs <= highUs) return { wall: { atUs: afterUs, lowUs, highUs }, step: null }
  const byUs = middleOf(seen) - middleOf(known)
  return { wall: seen, step: { byUs, afterUs: known.atUs, foundUs: afterUs } }
}

/** Return the middle of an interval, in microseconds. */
export function middleOf({
  lowUs,
  highUs,
}: {
  readonly lowUs: number
  readonly highUs: number
}): number {
  return (lowUs + highUs) / 2
}

const hourUs = 3_600e6

/**
 * Return how far the time of samples follows a step of the wall clock. It follows each step forward, such as that of a device without a battery from 1970 to the present. It
 * goes back only by more than an hour: otherwise two samples could have the same time, and nobody could tell which came first.
 */
export function followStep(byUs: number): number {
  return byUs > 0 || byUs < -hourUs ? byUs : 0
}
