import { LabError } from '@community-lab/contract'
import { checkArgument, durationMs, wholeNumber, type Kind } from '../argument.ts'
import { chooseSlivers } from '../run/start.ts'
import type { SliverOrNode } from '../sliver/slice-handle.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { rttProgram } from './rtt-program.ts'

/** What to measure. */
export interface RttOptions extends MeasureOptions {
  /** The slivers that send probes, or the names of their nodes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** The slivers that answer, given in the same way. No sliver probes itself. */
  readonly to: SliverOrNode | readonly SliverOrNode[]
  /** The time between two probes, in whole milliseconds: 2 to 3 600 000. */
  readonly everyMs: number
  /** The duration, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
}

const anyone: Kind = { expected: 'slivers or nodes', is: (value) => value !== null }

/** One probe, as a row of `rtt`. */
export interface RttRow {
  /** When the result was known: when the answer came, or when the probe was given up. */
  readonly time: Date
  /** The node that sent the probe, and its sliver. */
  readonly node: string
  readonly sliver: string
  /** The node that was probed. */
  readonly peer: string
  /** The round-trip time, in seconds; null: no answer came in time. */
  readonly rtt_s: number | null
  readonly lost: boolean
  /** The sequence number, from 1, for each pair of slivers. */
  readonly seq_no: number
  /** The hop limit of the answer: 64, less one for each router. Null: there was no answer. */
  readonly ttl: number | null
  /** True: this answer came after its probe was given up, which is an earlier row. */
  readonly late: boolean | null
  /** True: the probe had been answered before. */
  readonly duplicate: boolean | null
  readonly run: string
  /** The order in which rows arrived at the server. */
  readonly landed: number
}

/** The tables of a run of `measure('rtt', …)`. */
export interface RttTables {
  readonly rtt: RttRow
}

const rttColumns = {
  peer: 'VARCHAR',
  rtt_s: 'DOUBLE',
  lost: 'BOOLEAN',
  seq_no: 'DOUBLE',
  ttl: 'DOUBLE',
  late: 'BOOLEAN',
  duplicate: 'BOOLEAN',
  run: 'VARCHAR',
} as const

/** Round-trip times, by iputils' ping. See `Slice.measure`. */
export const rttMeasurement: StandardMeasurement<RttOptions> = {
  kinds: { from: anyone, to: anyone, everyMs: durationMs, forMs: durationMs },
  plan(slice, { from, to, everyMs, forMs }) {
    checkArgument('everyMs', everyMs, wholeNumber(2, 3_600_000, 'milliseconds'))
    checkArgument('forMs', forMs, wholeNumber(everyMs, 7 * 86_400_000, 'milliseconds'))
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
    // The same program for all: it does not probe the sliver in which it runs.
    const peers = targets.map(({ id, node, address }) => ({ sliver: id, name: node, address }))
    const script = rttProgram({ peers, everyMs, count: Math.round(forMs / everyMs) })
    return { programs: [{ on: sources, script }], tables: { rtt: rttColumns }, expectedMs: forMs }
  },
}
