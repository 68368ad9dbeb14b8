import {
  count,
  LabError,
  number,
  bytes,
  optional,
  point,
  seconds,
  text,
  type RowOf,
} from '@community-lab/contract'
import { checkArgument, oneOf, wholeNumber, yesOrNo, type Kind } from '../argument.ts'
import { anyone, chooseEnds, type EndsOptions } from './ends.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { endLine, settings } from './prober.ts'
import { throughputProgram } from './throughput-program.ts'
import { toolPoint } from './tool.ts'

/** What to measure. */
export interface ThroughputOptions extends MeasureOptions, EndsOptions {
  /** The duration of each test, in milliseconds: whole seconds from 1 to 60; default 10 000. */
  readonly testMs?: number
  /** Default `tcp`: as much as goes. `udp` needs `rateMbps`. */
  readonly protocol?: 'tcp' | 'udp'
  /** The most that is sent, in Mbit/s: 0.01 to 10 000; default, of TCP only: no limit. */
  readonly rateMbps?: number
  /** Test all pairs at the same time. Default false: one pair after the other, so that no two tests meet on a link. */
  readonly parallel?: boolean
}

/** How much longer a slot is than its test, and how long all slivers have to begin, in seconds. What a node knows of the server's time may be wrong by a half of the first. */
const gapS = 4
const leadS = 6
/** The longest time of all tests together, in milliseconds: a day. */
const longestMs = 86_400_000
/** The most tests at the same time: each has a process on both sides, and one sliver may have 128. */
const mostParallel = 32

const protocol = text('tcp or udp')
const peer = text('the node that received; the node of the row has sent')

const throughputPoint = point('throughput', {
  peer,
  start_s: seconds('begin of the interval, from the begin of the test'),
  length_s: seconds('length of the interval'),
  sent_bytes: bytes('payload that was sent, as the sender counts it'),
  bytes_per_second: number('payload that was sent, per second', 'bytes/s'),
  retransmits: optional(count('segments that TCP has sent again; not of UDP')),
})

const throughputTestPoint = point('throughput_test', {
  peer,
  protocol,
  began_at_s: optional(seconds('begin of the test, since 1970, by the clock of the sender')),
  length_s: optional(seconds('how long it was received')),
  sent_bytes: optional(bytes('payload that was sent')),
  received_bytes: optional(
    bytes('payload that was received; of UDP: what was sent, less the share of lost packets'),
  ),
  bytes_per_second: optional(number('payload that was received, per second', 'bytes/s')),
  retransmits: optional(count('segments that TCP has sent again; not of UDP')),
  packets: optional(count('packets that were sent, of UDP')),
  lost: optional(count('packets that were not received, of UDP')),
  jitter_s: optional(seconds('variation of the time between packets (RFC 1889), of UDP')),
  error: optional(text('why the test has failed; null: it has not')),
})

/** The tables of a run of `measure('throughput', …)`. */
export interface ThroughputTables {
  /** One row for each second of each test. */
  readonly throughput: RowOf<typeof throughputPoint>
  /** One row for each test, also of those that failed. */
  readonly throughput_test: RowOf<typeof throughputTestPoint>
  readonly tool: RowOf<typeof toolPoint>
}

const megabits: Kind = {
  expected: 'a number of Mbit/s from 0.01 to 10000',
  is: (value) => typeof value === 'number' && value >= 0.01 && value <= 10_000,
}
const wholeSeconds: Kind = {
  expected: 'a whole number of seconds from 1 to 60, in milliseconds',
  is: (value) => wholeNumber(1_000, 60_000).is(value) && Number(value) % 1_000 === 0,
}

/**
 * Throughput by iperf3. See `Slice.measure`.
 *
 * Sources: iperf3(1); RFC 6349 (throughput of TCP).
 */
export const throughputMeasurement: StandardMeasurement<ThroughputOptions> = {
  kinds: {
    from: anyone,
    to: anyone,
    testMs: wholeSeconds,
    protocol: oneOf('tcp', 'udp'),
    rateMbps: megabits,
    parallel: yesOrNo,
  },
  plan(slice, { testMs = 10_000, protocol: by = 'tcp', rateMbps, parallel = false, ...ends }) {
    if (by === 'udp') checkArgument('rateMbps, which udp needs,', rateMbps, megabits)
    const { sources, targets, pairs } = chooseEnds(slice, ends)
    const testS = testMs / 1000
    const slotS = parallel ? 0 : testS + gapS
    const testsMs = (parallel ? testS + gapS : pairs.length * slotS) * 1000
    requireBounds(pairs.length, testsMs, parallel)
    const options = {
      test_s: testS,
      slot_s: slotS,
      gap_s: gapS,
      lead_s: leadS,
      protocol: by,
      bits_per_second: Math.round((rateMbps ?? 0) * 1e6),
    }
    const lines = [
      ...sources.map((sliver) => endLine('from', sliver)),
      ...targets.map((sliver) => endLine('to', sliver)),
    ]
    const on = [...new Set(pairs.flat())]
    const expectedMs = leadS * 1000 + testsMs + 10_000
    return {
      programs: [{ on, script: throughputProgram, args: [settings(options, lines)] }],
      points: [throughputPoint, throughputTestPoint, toolPoint],
      expectedMs,
      note: describe(pairs.length, expectedMs, parallel),
    }
  },
}

function requireBounds(tests: number, testsMs: number, isParallel: boolean): void {
  if (isParallel && tests > mostParallel)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'parallel',
      found: `true for ${tests} pairs`,
      expected: `at most ${mostParallel} pairs at the same time`,
    })
  if (testsMs > longestMs)
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'from and to',
      found: `${tests} pairs, whose tests would take ${(testsMs / 3_600_000).toFixed(1)} hours, one after the other`,
      expected: 'tests of a day at most: fewer pairs, or a shorter testMs',
    })
}

function describe(tests: number, expectedMs: number, isParallel: boolean): string | null {
  if (tests === 1) return null
  const how = isParallel ? 'at the same time' : 'one after the other'
  const s = Math.ceil(expectedMs / 1000)
  return `${tests} tests ${how} take ${s < 120 ? `${s} s` : `${Math.ceil(s / 60)} minutes`}`
}
