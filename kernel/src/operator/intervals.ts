/** A time in which one thing was in one state. */
export interface StateInterval<S> {
  /** The thing, such as a node or a link. */
  readonly of: string
  readonly from: Date
  readonly to: Date
  /** Null: there are no samples of this time. */
  readonly state: S | null
}

/** How rows tell the states of things. */
export interface StateIntervalOptions<Row, S> {
  /** The thing that a row is about. */
  readonly of: (row: Row) => string
  /** Its state at that time; compared by `===`. */
  readonly state: (row: Row) => S
  /** A longer time between two samples is an interval of its own, whose state is null. Default: three times the median time between samples of the same thing. */
  readonly longestGapMs?: number | undefined
  /** Where the time ends that is looked at: a thing whose last sample is too long before that has a gap until then. Default: the last sample of each thing. */
  readonly until?: Date | undefined
}

/** How often and how long a thing was in a state. */
export interface TimesIn {
  readonly of: string
  /** The number of intervals. */
  readonly times: number
  readonly total_s: number
}

/** Three missing samples in a row are a gap; one or two may be a node that is busy. */
const gapFactor = 3

/**
 * Turn samples into intervals of equal state, by thing and then by time. A state holds until the next sample; before a gap it ends with its last sample, and nothing is
 * assumed of the gap. The intervals of a thing follow each other without overlap, from its first sample to its last one. The order of the rows does not matter.
 */
export function stateIntervals<Row extends { readonly time: Date }, S>(
  rows: readonly Row[],
  { of, state, longestGapMs, until }: StateIntervalOptions<Row, S>,
): StateInterval<S>[] {
  return [...groupInTime(rows, of)].flatMap(([name, own]) => {
    const longest = longestGapMs ?? gapFactor * medianStepMs(own)
    const intervals: { of: string; from: Date; to: Date; state: S | null }[] = []
    const extend = (from: Date, to: Date, now: S | null): void => {
      const last = intervals.at(-1)
      if (last !== undefined && last.state === now) last.to = to
      else intervals.push({ of: name, from, to, state: now })
    }
    for (const [index, row] of own.entries()) {
      const next = own[index + 1]?.time ?? until ?? row.time
      const isGap = next.getTime() - row.time.getTime() > longest
      extend(row.time, isGap || next < row.time ? row.time : next, state(row))
      if (isGap) extend(row.time, next, null)
    }
    return intervals
  })
}

/** Tell how often and how long each thing was in a state; null is the state without samples. Things that never were are in it with 0. */
export function timesIn<S>(intervals: readonly StateInterval<S>[], state: S | null): TimesIn[] {
  const totals = new Map<string, TimesIn>()
  for (const { of, from, to, state: was } of intervals) {
    const { times, total_s: total } = totals.get(of) ?? { times: 0, total_s: 0 }
    const isIn = was === state
    const spanS = (to.getTime() - from.getTime()) / 1e3
    totals.set(of, { of, times: times + (isIn ? 1 : 0), total_s: total + (isIn ? spanS : 0) })
  }
  return [...totals.values()]
}

/** Group rows by the thing that they are about, each group in the order of time; groups in the order of their names, with n2 before n10. */
export function groupInTime<Row extends { readonly time: Date }>(
  rows: readonly Row[],
  of: (row: Row) => string,
): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const name = of(row)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  const inOrder = [...groups].sort(([a], [b]) => compareNames(a, b))
  for (const [, group] of inOrder) group.sort((a, b) => a.time.getTime() - b.time.getTime())
  return new Map(inOrder)
}

/** Compare names with numbers in them: n2 comes before n10. */
export function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** The median of the numbers; null when there are none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const high = sorted[Math.floor(middle)]
  if (high === undefined) return null
  const low = sorted[Math.ceil(middle) - 1]
  return low === undefined ? high : (low + high) / 2
}

function medianStepMs(rows: readonly { readonly time: Date }[]): number {
  const steps = rows.slice(1).map(({ time }, index) => {
    const before = rows[index]?.time ?? time
    return time.getTime() - before.getTime()
  })
  return median(steps) ?? Infinity
}
