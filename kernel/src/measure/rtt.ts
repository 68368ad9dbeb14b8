import {
  bool,
  count,
  integer,
  optional,
  point,
  seconds,
  text,
  type RowOf,
} from '@community-lab/contract'
import { wholeNumber } from '../argument.ts'
import { chooseEnds, countProbes, requireRate, seriesKinds, type EndsOptions } from './ends.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { endLine, settings } from './prober.ts'
import { rttProgram } from './rtt-program.ts'
import { toolPoint } from './tool.ts'

/** What to measure. */
export interface RttOptions extends MeasureOptions, EndsOptions {
  /** The time between two probes of a pair, in whole milliseconds: 2 to 3 600 000. */
  readonly everyMs: number
  /** The duration, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
  /** The bytes of a probe, without headers: 40 to 1400; default 56, as ping's. On the wire there are 48 more, and those of the link. */
  readonly payloadBytes?: number
}

/** A probe without an answer after this time, or after the time between probes if that is longer, is lost. */
const patienceMs = 1_000

const rttPoint = point('rtt', {
  peer: text('the node that was probed'),
  rtt_s: optional(seconds('round trip; null: no answer came in time')),
  lost: bool(
    'no answer came within a second, or within the time between two probes if that is longer',
  ),
  seq_no: integer('number of the probe, from 1, for each pair of slivers'),
  ttl: optional(integer('hop limit of the answer: 64, less one for each router')),
  late: optional(bool('the answer came after its probe was given up, which is an earlier row')),
  duplicate: optional(bool('the probe had been answered before')),
})

const rttCountPoint = point('rtt_count', {
  peer: text('the node that was probed'),
  sent: count('probes that were sent'),
  unsent: count('probes that could not be sent; each is a lost one, too'),
  received: count('probes that were answered in time'),
  lost: count('probes without an answer in time'),
  late: count('lost probes that were answered later'),
  duplicate: count('further answers'),
})

/** One probe, as a row of `rtt`. */
export type RttRow = RowOf<typeof rttPoint>

/** The tables of a run of `measure('rtt', …)`. */
export interface RttTables {
  readonly rtt: RttRow
  /** One row for each pair of slivers, at the end. */
  readonly rtt_count: RowOf<typeof rttCountPoint>
  readonly tool: RowOf<typeof toolPoint>
}

/**
 * Round-trip times and losses by ICMPv6 echo. See `Slice.measure`.
 *
 * Sources: RFC 2681 (round-trip delay), RFC 6673 (round-trip loss).
 */
export const rttMeasurement: StandardMeasurement<RttOptions> = {
  kinds: {
    ...seriesKinds,
    payloadBytes: wholeNumber(40, 1400, 'bytes'),
  },
  plan(slice, { everyMs, forMs, payloadBytes = 56, ...ends }) {
    const probes = countProbes({ everyMs, forMs }, { leastMs: 2, mostMs: 3_600_000 })
    const { sources, targets, pairs } = chooseEnds(slice, ends)
    requireRate(everyMs, { most: targets.length, all: pairs.length })
    const waitMs = Math.max(patienceMs, everyMs)
    const options = {
      every_ns: everyMs * 1e6,
      patience_ns: waitMs * 1e6,
      count: probes,
      bytes: payloadBytes,
    }
    // The same for all: a program does not probe the sliver in which it runs.
    const lines = [
      ...sources.map((sliver) => ['from', sliver.id]),
      ...targets.map((sliver) => endLine('to', sliver)),
    ]
    return {
      programs: [{ on: sources, script: rttProgram, args: [settings(options, lines)] }],
      points: [rttPoint, rttCountPoint, toolPoint],
      expectedMs: forMs + waitMs,
    }
  },
}
