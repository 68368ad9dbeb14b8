import { checkArgument, aNumber, listOf } from '../argument.ts'
import { median } from './intervals.ts'

/** From this score on, a value is an outlier. Source: Iglewicz & Hoaglin, as {@link modifiedZScores}. */
const defaultThreshold = 3.5
/** What makes the median absolute deviation of normally distributed values their standard deviation: the 0.75 quantile of the standard normal distribution. */
const madFactor = 0.6745
/** The same for the mean absolute deviation: the square root of π/2. */
const meanFactor = Math.sqrt(Math.PI / 2)

/** Which values are outliers. */
export interface OutlierOptions {
  /** The score beyond which a value is an outlier. Default: 3.5. */
  readonly threshold?: number
  /** Only values above the median, or on both sides. Default: both. */
  readonly side?: 'above' | 'both'
}

/**
 * Compute how far each value is from the median, in deviations that outliers themselves do not enlarge: 0.6745 (x − median) / MAD, where MAD is the median absolute deviation
 * from the median.
 *
 * Where more than half of the values are equal, MAD is 0; the mean absolute deviation times √(π/2) is then in its place (IBM, "Modified z score"). One value
 * that differs from n − 1 equal ones so has the score n / 1.2533: it can be an outlier among five or more. Values that are all equal have the score 0.
 *
 * Source: B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, ASQC Quality Press, 1993.
 * @throws {@link LabError} LAB_ARGUMENT_INVALID for values that are not finite.
 */
export function modifiedZScores(values: readonly number[]): number[] {
  checkArgument('the values', values, listOf(aNumber))
  const middle = median(values) ?? 0
  const deviations = values.map((value) => Math.abs(value - middle))
  const mad = median(deviations) ?? 0
  const mean = deviations.reduce((sum, deviation) => sum + deviation, 0) / values.length
  const scale = mad > 0 ? mad / madFactor : mean * meanFactor
  return values.map((value) => (scale > 0 ? (value - middle) / scale : 0))
}

/** Choose the things whose value is an outlier among those of all, the farthest from the median first. See {@link modifiedZScores}. */
export function outliers<T>(
  things: readonly T[],
  value: (thing: T) => number,
  { threshold = defaultThreshold, side = 'both' }: OutlierOptions = {},
): T[] {
  const scores = modifiedZScores(things.map(value))
  return things
    .map((thing, index) => {
      const score = scores[index] ?? 0
      return { thing, far: side === 'above' ? score : Math.abs(score) }
    })
    .filter(({ far }) => far > threshold)
    .sort((a, b) => b.far - a.far)
    .map(({ thing }) => thing)
}
