import { compareNames, stateIntervals, type StateInterval } from './intervals.ts'

/** A link as one of its ends sees it at one time. */
export interface LinkRow {
  readonly time: Date
  /** The node that sees it. */
  readonly node: string
  /** The node at the other end. */
  readonly peer: string
  readonly usable: boolean
}

/** What became of a link. */
export interface LinkFlaps {
  /** Both ends, such as `n3 – n4`. */
  readonly link: string
  readonly ends: readonly [string, string]
  /** How often it went down while both of its nodes were there. */
  readonly flaps: number
  /** How long it was down then, in seconds. */
  readonly down_s: number
}

/** Times in which something was not there; others are ignored. */
export interface FlapOptions {
  /** Intervals of nodes, whose `of` are their names: those with the state null are times in which a node told nothing. */
  readonly nodes?: readonly StateInterval<unknown>[]
}

/**
 * Count how often something went down: each time in which it is not up, or there are no samples of it, after one in which it was up. The intervals are those of one thing in
 * the order of time. A time that overlaps with one of `except` is not counted: the reason is then known, and not the thing itself.
 */
export function countFlaps(
  intervals: readonly StateInterval<boolean>[],
  except: readonly { readonly from: Date; readonly to: Date }[] = [],
): number {
  return downTimes(intervals, except).length
}

/**
 * Count the flaps of each link, the most first. Both ends see a link; what the end saw that saw most of it counts. A link that is down because one of its nodes is away does not flap: give
 * the intervals of the nodes.
 */
export function linkFlaps(rows: readonly LinkRow[], { nodes = [] }: FlapOptions = {}): LinkFlaps[] {
  const views = stateIntervals(rows, {
    of: ({ node, peer }) => JSON.stringify([node, peer]),
    state: ({ usable }) => usable,
  })
  const byView = new Map<string, StateInterval<boolean>[]>()
  for (const interval of views)
    byView.set(interval.of, [...(byView.get(interval.of) ?? []), interval])
  const links = new Map<string, LinkFlaps>()
  for (const { node, peer } of rows) {
    const ends = [node, peer].sort(compareNames)
    const [first = node, second = peer] = ends
    const link = `${first} – ${second}`
    if (links.has(link)) continue
    const except = nodes.filter(({ of, state }) => state === null && ends.includes(of))
    const seen = [JSON.stringify([node, peer]), JSON.stringify([peer, node])].map((view) =>
      downTimes(byView.get(view) ?? [], except),
    )
    links.set(link, {
      link,
      ends: [first, second],
      flaps: Math.max(...seen.map(({ length }) => length)),
      down_s: Math.max(...seen.map(secondsOf)),
    })
  }
  return [...links.values()].sort((a, b) => b.flaps - a.flaps || compareNames(a.link, b.link))
}

interface Time {
  readonly from: Date
  readonly to: Date
}

/** The times in which a thing was down after it was up. Intervals without a word between them are one time. */
function downTimes(
  intervals: readonly StateInterval<boolean>[],
  except: readonly Time[],
): readonly Time[] {
  const times: { from: Date; to: Date }[] = []
  let before: boolean | null = null
  for (const { state, from, to } of intervals) {
    const last = times.at(-1)
    if (state !== true && before === true) times.push({ from, to })
    else if (state !== true && last !== undefined) last.to = to
    before = state
  }
  return times.filter(({ from, to }) => !except.some((away) => away.from < to && from < away.to))
}

function secondsOf(times: readonly Time[]): number {
  return times.reduce((sum, { from, to }) => sum + (to.getTime() - from.getTime()) / 1e3, 0)
}
