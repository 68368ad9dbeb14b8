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
})

const pathHopPoint = point('path_hop', {
  peer,
  round,
  ttl: integer('number of the hop, from 1'),
  address: optional(text('who answered; null: nobody')),
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
  plan(slice, { everyMs, forMs, probes = 3, flowLabel = 1, ...ends }) {
    const rounds = countProbes({ everyMs, forMs }, { leastMs: 10_000, mostMs: 86_400_000 })
    const { sources, targets } = chooseEnds(slice, ends)
    const longestMs = targets.length * longestTraceMs(probes)
    if (everyMs < longestMs)
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument: 'everyMs',
        found: `${everyMs} for ${targets.length} ${targets.length === 1 ? 'target' : 'targets'}, to which a round may take ${longestMs} ms`,
        expected: 'at least that; or fewer targets or probes',
      })
    const options = {
      every_s: everyMs / 1000,
      rounds,
      probes,
      hops: maxHops,
      flow_label: flowLabel,
    }
    const lines = targets.map((sliver) => endLine('to', sliver))
    return {
      programs: [{ on: sources, script: pathProgram, args: [settings(options, lines)] }],
      points: [pathPoint, pathHopPoint, toolPoint],
      expectedMs: forMs,
    }
  },
}
