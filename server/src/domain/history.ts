/** A time during which something was in one state. Times are in milliseconds since the epoch; `fromMs` belongs to it, `toMs` does not. */
export interface Interval<S extends string> {
  readonly fromMs: number
  readonly toMs: number
  readonly state: S
  readonly reason: string | null
}

/** A period, in milliseconds since the epoch; `toMs` does not belong to it. */
export interface Period {
  readonly fromMs: number
  readonly toMs: number
}

/** What was recorded. The intervals of each list are in order and do not overlap. */
export interface Records<S extends string> {
  /** The states that the node or sliver was in. */
  readonly own: readonly Interval<S>[]
  /** For a sliver: the times at which nothing was known of its node. They hide the sliver's own states. */
  readonly hidden?: readonly Interval<S>[]
  /** The times at which a server was running. At other times, nothing was recorded, and a state that began before may have ended. */
  readonly runs: readonly Period[]
}

const noServer = 'the server was not running'
const noRecord = 'the server has no record of this time'

/** Return the states of a whole period, in order and without gaps. Two intervals in a row differ in their state or reason. */
export function describeHistory<S extends string>(
  { own, hidden = [], runs }: Records<S>,
  period: Period,
): Interval<S | 'nodata'>[] {
  const findRun = finder(runs)
  const findHidden = finder(hidden)
  const findOwn = finder(own)
  const history: Interval<S | 'nodata'>[] = []
  const bounds = boundsOf([...runs, ...hidden, ...own], period)
  for (const [index, fromMs] of bounds.entries()) {
    const toMs = bounds[index + 1]
    if (toMs === undefined) break
    const isUp = findRun(fromMs) !== null
    const found = isUp ? (findHidden(fromMs) ?? findOwn(fromMs)) : null
    const reason = isUp ? noRecord : noServer
    const { state, reason: why } = found ?? { state: 'nodata' as const, reason }
    const last = history.at(-1)
    if (last?.state === state && last.reason === why)
      history[history.length - 1] = { ...last, toMs }
    else history.push({ fromMs, toMs, state, reason: why })
  }
  return history
}

/** How long something was in each state within a period. */
export interface Shares<S extends string> {
  readonly times: readonly { readonly state: S | 'nodata'; readonly ms: number }[]
  /** The milliseconds that are known. */
  readonly knownMs: number
  /** The share of the known time, 0 to 1, spent in the state that serves; null when nothing is known. */
  readonly availability: number | null
}

/** Return the shares of a period, of which what `times` lack is not known. `serving` is the state in which it is available. */
export function sharesOf<S extends string>(
  times: readonly { readonly state: S | 'nodata'; readonly ms: number }[],
  { period: { fromMs, toMs }, serving }: { readonly period: Period; readonly serving: NoInfer<S> },
): Shares<S> {
  const knownMs = times.reduce((sum, { ms }) => sum + ms, 0)
  const unknownMs = toMs - fromMs - knownMs
  const servedMs = times.find(({ state }) => state === serving)?.ms ?? 0
  return {
    times: unknownMs > 0 ? [...times, { state: 'nodata', ms: unknownMs }] : times,
    knownMs,
    availability: knownMs === 0 ? null : servedMs / knownMs,
  }
}

/** The times within a period at which anything may change, in order, with its begin and its end. There may be tens of thousands. */
function boundsOf(periods: readonly Period[], { fromMs, toMs }: Period): readonly number[] {
  if (toMs <= fromMs) return []
  const times = new Float64Array(2 * periods.length + 2)
  let count = 0
  const add = (ms: number): void => {
    if (ms > fromMs && ms < toMs) times[count++] = ms
  }
  for (const each of periods) {
    add(each.fromMs)
    add(each.toMs)
  }
  times[count++] = fromMs
  times[count++] = toMs
  // Sorts by number, and without a function for each comparison.
  const ordered = times.subarray(0, count).sort()
  return [...ordered.filter((ms, index) => ms !== ordered[index - 1])]
}

/** Return a function that finds the period of an ordered list at a time. The times that are asked for have to increase. */
function finder<P extends Period>(periods: readonly P[]): (atMs: number) => P | null {
  let index = 0
  return (atMs) => {
    while ((periods[index]?.toMs ?? Infinity) <= atMs) index++
    const found = periods[index]
    return found !== undefined && found.fromMs <= atMs ? found : null
  }
}
