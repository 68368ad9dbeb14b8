import { LabError } from '@community-lab/contract'
import { checkArgument, durationMs, wholeNumber, type Kind } from '../argument.ts'
import { chooseSlivers } from '../run/start.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import type { Sliver } from '../sliver/sliver.ts'

/** From where to where something is measured. */
export interface EndsOptions {
  /** The slivers that send, or the names of their nodes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** The slivers that receive or answer, given in the same way. No sliver measures to itself. */
  readonly to: SliverOrNode | readonly SliverOrNode[]
}

/** The slivers of a measurement. */
export interface Ends {
  /** Those that have another sliver to send to. */
  readonly sources: readonly Sliver[]
  readonly targets: readonly Sliver[]
  /** All pairs of a source and another sliver, source by source. */
  readonly pairs: readonly (readonly [from: Sliver, to: Sliver])[]
}

/** Slivers that must be chosen: nothing and an empty list are refused, where a run's `on` would mean all. */
export const anyone: Kind = {
  expected: "slivers or names of nodes, one at least; 'all': every sliver of the slice",
  is: (value) =>
    value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
}

/** The types of the options of a series of probes between ends. */
export const seriesKinds = { from: anyone, to: anyone, everyMs: durationMs, forMs: durationMs }
/** The types of the options of a series of requests, each with a limit of time. */
export const countedKinds = {
  from: anyone,
  everyMs: durationMs,
  count: wholeNumber(1, 1_000_000),
  timeoutMs: wholeNumber(100, 60_000, 'milliseconds'),
}
/** The longest series, in milliseconds: seven days. */
const longestMs = 7 * 86_400_000

/**
 * Return the number of probes in a series: one at its begin, and then one every `everyMs` that is before its end.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID when a time is no whole number of milliseconds, or out of range.
 */
export function countProbes(
  { everyMs, forMs }: { readonly everyMs: number; readonly forMs: number },
  { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number },
): number {
  checkArgument('everyMs', everyMs, wholeNumber(leastMs, mostMs, 'milliseconds'))
  checkArgument('forMs', forMs, wholeNumber(everyMs, longestMs, 'milliseconds'))
  return Math.floor(forMs / everyMs)
}

/** Check a series of `count` requests, the shortest time between two of which is `leastMs`. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function requireCount(
  {
    everyMs,
    count,
    timeoutMs,
  }: { readonly everyMs: number; readonly count: number; readonly timeoutMs: number },
  leastMs: number,
): void {
  checkArgument('everyMs', everyMs, wholeNumber(leastMs, 3_600_000, 'milliseconds'))
  const most = Math.min(1_000_000, Math.floor(longestMs / everyMs))
  checkArgument('count', count, wholeNumber(1, most, 'requests, which is seven days at most,'))
  checkArgument('timeoutMs', timeoutMs, countedKinds.timeoutMs)
}

/** The most samples per second of one measurement in one sliver, and on all slivers together. Source: what agents take from a sliver (5,000) and the server from a slice (10,000), with room for other programs. */
const maxRate = { sliver: 2_500, slice: 5_000 }

/** Choose the ends of a measurement. @throws {@link LabError} LAB_ARGUMENT_INVALID when one is missing, or nobody has another sliver to send to; LAB_SLIVER_UNKNOWN. */
export function chooseEnds(slice: SliceHandle, { from, to }: EndsOptions): Ends {
  checkArgument('from', from, anyone)
  checkArgument('to', to, anyone)
  const targets = chooseSlivers(slice, to)
  const sources = chooseSlivers(slice, from).filter((source) =>
    targets.some(({ id }) => id !== source.id),
  )
  if (sources.length === 0)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'to',
      found: 'the same sliver as from',
      expected: 'another sliver',
    })
  const pairs = sources.flatMap((source) =>
    targets.filter(({ id }) => id !== source.id).map((target) => [source, target] as const),
  )
  return { sources, targets, pairs }
}

/**
 * Require that the samples of a measurement are not more than what nodes and server take.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID, with the shortest time between two probes that is possible.
 */
export function requireRate(
  everyMs: number,
  { most, all }: { readonly most: number; readonly all: number },
  { sliver, slice }: { readonly sliver: number; readonly slice: number } = maxRate,
): void {
  const leastMs = Math.ceil(Math.max((most * 1000) / sliver, (all * 1000) / slice))
  if (everyMs >= leastMs) return
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: 'everyMs',
    found: `${everyMs} for ${all} ${all === 1 ? 'pair' : 'pairs'} of slivers, which is ${Math.round((all * 1000) / everyMs)} samples a second`,
    expected: `at least ${leastMs} for so many; a slice makes ${slice} of them a second, and a sliver ${sliver}`,
  })
}
