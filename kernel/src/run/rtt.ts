import { LabError } from '@community-lab/contract'
import { abortSignal, checkArgument, durationMs, wholeNumber, type Kind } from '../argument.ts'
import type { Session } from '../session.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { rttProgram } from './rtt-program.ts'
import type { Run } from './run.ts'
import { chooseSlivers, launchRun } from './start.ts'

/** What to measure. */
export interface RttOptions {
  /** The slivers that send probes, or the names of their nodes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** The slivers that answer, given in the same way. No sliver probes itself. */
  readonly to: SliverOrNode | readonly SliverOrNode[]
  /** The time between two probes, in whole milliseconds: 2 to 3 600 000. */
  readonly everyMs: number
  /** The duration, in whole milliseconds: at least `everyMs`, at most seven days. */
  readonly forMs: number
  readonly signal?: AbortSignal
}

const anyone: Kind = { expected: 'slivers or nodes', is: (value) => value !== null }

/** The types of the options. Their ranges are checked when they are used. */
export const rttKinds = {
  from: anyone,
  to: anyone,
  everyMs: durationMs,
  forMs: durationMs,
  signal: abortSignal,
}

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

/** Start to measure round-trip times. See `Slice.measure`. */
export function measureRtt(
  session: Session,
  slice: SliceHandle,
  { name, ...options }: RttOptions & { readonly name: string; readonly signal: AbortSignal },
): Promise<Run<RttTables>> {
  const { everyMs, forMs, signal } = options
  checkArgument('everyMs', everyMs, wholeNumber(2, 3_600_000, 'milliseconds'))
  checkArgument('forMs', forMs, wholeNumber(everyMs, 7 * 86_400_000, 'milliseconds'))
  const sources = chooseSlivers(slice, options.from)
  const targets = chooseSlivers(slice, options.to)
  const count = Math.round(forMs / everyMs)
  const programs = sources.map((sliver) => {
    const peers = targets
      .filter((target) => target.id !== sliver.id)
      .map((target) => ({ name: target.node, address: target.address }))
    return { sliver, script: rttProgram({ peers, everyMs, count }), peers: peers.length }
  })
  const useful = programs.filter(({ peers }) => peers > 0)
  if (useful.length === 0)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'to',
      found: 'the same sliver as from',
      expected: 'another sliver',
    })
  return launchRun<RttTables>(session, slice, {
    name,
    programs: useful.map(({ sliver, script }) => ({ sliver, script })),
    tables: { rtt: rttColumns },
    expectedMs: forMs,
    signal,
  })
}
