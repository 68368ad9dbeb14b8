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
import { oneWayProgram } from './one-way-program.ts'
import { endLine, settings } from './prober.ts'
import { toolPoint } from './tool.ts'

/** What to measure. */
export interface OneWayOptions extends MeasureOptions, EndsOptions {
  /** The time between two packets of a pair, in whole milliseconds: 2 to 60 000. */
  readonly everyMs: number
  /** The duration, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
  /** The bytes of a packet, without headers: 32 to 1400; default 56. On the wire there are 48 more (UDP and IPv6), and those of the link. */
  readonly payloadBytes?: number
}

/** A packet that has not come after this time is lost. Source: RFC 7680, 2.6: a bound that is much longer than any delay. */
const patienceMs = 3_000
/** Senders begin so long after their start, because receivers may start later. */
const leadMs = 3_000

const oneWayPoint = point('one_way', {
  source: text('the node that sent the packet; the node of the row has received it'),
  seq_no: integer('number of the packet, from 1, for each pair of slivers'),
  lost: bool('it has not come within three seconds of when it should have'),
  delay_s: optional(
    seconds('time of receiving less time of sending, by the clocks of the two nodes as they were'),
  ),
  sent_at_s: optional(
    seconds('when it was sent, since 1970, by the clock of the node that sent it'),
  ),
  ttl: optional(integer('hop limit: 64, less one for each router')),
  late: optional(bool('it came after it was given up, which is an earlier row')),
  duplicate: optional(bool('it had come before')),
  reordered: optional(bool('a later packet had come before it')),
})

const oneWayCountPoint = point('one_way_count', {
  source: text('the node that sent; the node of the row has received'),
  received: count('packets that came in time'),
  lost: count('packets that did not'),
  late: count('lost packets that came later'),
  duplicate: count('packets that came again'),
  reordered: count('packets that came after a later one'),
  is_whole: bool(
    'the sender has said how many it has sent; without that, the last lost ones are not counted',
  ),
})

const oneWaySentPoint = point('one_way_sent', {
  peer: text('the node to which the node of the row has sent'),
  sent: count('packets that were sent by then'),
  unsent: count('packets that could not be sent by then'),
})

/** One packet, as a row of `one_way`. */
export type OneWayRow = RowOf<typeof oneWayPoint>

/** The tables of a run of `measure('one-way', …)`. */
export interface OneWayTables {
  readonly one_way: OneWayRow
  /** What each sliver has received of each other, at the end. */
  readonly one_way_count: RowOf<typeof oneWayCountPoint>
  /** What each sliver has sent to each other, at the begin, every ten seconds and at the end. Its columns `clock_…` are those of the sender. */
  readonly one_way_sent: RowOf<typeof oneWaySentPoint>
  readonly tool: RowOf<typeof toolPoint>
}

/**
 * One-way delay, loss, reordering and duplicates by UDP packets with numbers. See `Slice.measure`.
 *
 * Sources: RFC 7679 (one-way delay), RFC 7680 (one-way loss).
 */
export const oneWayMeasurement: StandardMeasurement<OneWayOptions> = {
  kinds: {
    ...seriesKinds,
    payloadBytes: wholeNumber(32, 1400, 'bytes'),
  },
  plan(slice, { everyMs, forMs, payloadBytes = 56, ...ends }) {
    const probes = countProbes({ everyMs, forMs }, { leastMs: 2, mostMs: 60_000 })
    const { sources, targets, pairs } = chooseEnds(slice, ends)
    requireRate(everyMs, { most: sources.length, all: pairs.length })
    const options = {
      every_ns: everyMs * 1e6,
      patience_ns: patienceMs * 1e6,
      lead_ns: leadMs * 1e6,
      count: probes,
      bytes: payloadBytes,
    }
    const lines = [
      ...sources.map((sliver) => endLine('from', sliver)),
      ...targets.map((sliver) => endLine('to', sliver)),
    ]
    // A sliver that sends and one that receives run the same program, and so does one that does both.
    const on = [...new Set(pairs.flat())]
    return {
      programs: [{ on, script: oneWayProgram, args: [settings(options, lines)] }],
      points: [oneWayPoint, oneWayCountPoint, oneWaySentPoint, toolPoint],
      expectedMs: 2 * leadMs + forMs + patienceMs + 5_000,
    }
  },
}
