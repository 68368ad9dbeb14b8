import {
  bool,
  count,
  integer,
  LabError,
  optional,
  point,
  seconds,
  text,
  type RowOf,
} from '@community-lab/contract'
import { wholeNumber } from '../argument.ts'
import type { NodeAddresses } from '../run/route.ts'
import type { SliceHandle } from '../sliver/slice-handle.ts'
import { chooseEnds, countProbes, seriesKinds, type EndsOptions } from './ends.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { pathProgram } from './path-program.ts'
import { endLine, settings } from './prober.ts'
import { toolPoint } from './tool.ts'

/** What to measure. */
export interface PathOptions extends MeasureOptions, EndsOptions {
  /** The time between two rounds, in whole milliseconds: 10 000 to 86 400 000. In a round, a sliver traces the path to each target, one after the other. */
  readonly everyMs: number
  /** The duration, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
  /** How often a hop is probed in a round: 1 to 10; default 3. */
  readonly probes?: number
  /** The flow label of all probes: 1 to 1 048 575; default 1. Others may take other paths where there are several of the same length. */
  readonly flowLabel?: number
}

/** The most hops of a path. */
const maxHops = 20
/** The longest that a path may take, in milliseconds: 20 hops of which nobody answers, in groups of 16 probes, with 2 s patience each. */
const longestTraceMs = (probes: number): number => Math.ceil((maxHops * probes) / 16) * 2_000

const peer = text('the node to which the path leads, from the node of the row')
const round = integer('number of the round, from 1')

const pathPoint = point('path', {
  peer,
  round,
  hops: count('hops until the last one that answered'),
  reached: bool('the target answered'),
  changed: bool('other hops than in the round before'),
  addresses: text(
    'the addresses of the hops, with * for one that did not answer, and | between several',
  ),
  nodes: text(
    'the nodes on the way, from the first to the last; an address where no node is known, and * where nobody answered',
  ),
})

const pathHopPoint = point('path_hop', {
  peer,
  round,
  ttl: integer('number of the hop, from 1'),
  address: optional(text('who answered; null: nobody')),
  hop_node: optional(text('the node that has this address, or whose sliver has; null: not known')),
  received: count('answers from this address'),
  lost: count('probes of this hop without an answer, in the first of its rows; 0 in the others'),
  rtt_s: optional(seconds('the shortest round trip of this round to this address')),
})

/** The tables of a run of `measure('path', …)`. */
export interface PathTables {
  /** One row for each path of each round. */
  readonly path: RowOf<typeof pathPoint>
  /** One row for each hop of it. */
  readonly path_hop: RowOf<typeof pathHopPoint>
  readonly tool: RowOf<typeof toolPoint>
}

/** Paths by traceroute with a constant flow label. See `Slice.measure`. */
export const pathMeasurement: StandardMeasurement<PathOptions> = {
  kinds: {
    ...seriesKinds,
    probes: wholeNumber(1, 10),
    flowLabel: wholeNumber(1, 0xf_ffff),
  },
  needsNodes: true,
  plan(slice, { everyMs, forMs, probes = 3, flowLabel = 1, ...ends }, nodes = []) {
    const rounds = countProbes({ everyMs, forMs }, { leastMs: 10_000, mostMs: 86_400_000 })
    const { sources, targets } = chooseEnds(slice, ends)
    // No sliver traces the path to itself.
    const most = Math.max(
      ...sources.map((source) => targets.filter(({ id }) => id !== source.id).length),
    )
    const longestMs = most * longestTraceMs(probes)
    if (everyMs < longestMs)
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'everyMs',
        found: `${everyMs} for ${most} ${most === 1 ? 'target' : 'targets'}, to which a round may take ${longestMs} ms`,
        expected: 'at least that; or fewer targets or probes',
      })
    const options = {
      every_s: everyMs / 1000,
      rounds,
      probes,
      hops: maxHops,
      flow_label: flowLabel,
    }
    const lines = [...targets.map((sliver) => endLine('to', sliver)), ...nodeLines(slice, nodes)]
    return {
      programs: [{ on: sources, script: pathProgram, args: [settings(options, lines)] }],
      points: [pathPoint, pathHopPoint, toolPoint],
      expectedMs: forMs,
    }
  },
}

/** The most nodes whose names a program knows: their lines take 32 KiB of the 64 that a run may have. */
const mostNodes = 400

/** Return a line for each node with what is known of its addresses. When there are too many, those of the slice come first. */
function nodeLines(
  slice: SliceHandle,
  nodes: readonly NodeAddresses[],
): readonly (readonly string[])[] {
  const own = new Set(slice.slivers.map(({ node }) => node))
  const known = nodes.filter(({ address, prefix }) => address !== null || prefix !== null)
  return known
    .toSorted((a, b) => Number(own.has(b.name)) - Number(own.has(a.name)))
    .slice(0, mostNodes)
    .map(({ name, address, prefix }) => [
      'node',
      name,
      address ?? '-',
      prefix?.replace(/\/\d+$/u, '') ?? '-',
    ])
}
