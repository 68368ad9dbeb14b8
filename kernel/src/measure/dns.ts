import {
  bool,
  bytes,
  count,
  integer,
  optional,
  parseIpv6,
  point,
  seconds,
  text,
  type RowOf,
} from '@community-lab/contract'
import { checkArgument, named, oneOf, wholeNumber, type Kind } from '../argument.ts'
import { chooseSlivers } from '../run/start.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { dnsProgram } from './dns-program.ts'
import { anyone, countedKinds, requireCount, requireRate } from './ends.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { settings } from './prober.ts'
import { toolPoint } from './tool.ts'

/** The types of records that can be asked for. */
const recordTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const

/** What to measure. */
export interface DnsOptions extends MeasureOptions {
  /** The slivers that ask, or the names of their nodes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** The name that is asked for, such as `example.org`. */
  readonly domain: string
  /** The type of its records; default `AAAA`. */
  readonly type?: (typeof recordTypes)[number]
  /** The server: an IPv6 or IPv4 address, or a sliver on which one runs; default: the first one of each sliver's `/etc/resolv.conf`. */
  readonly server?: SliverOrNode
  /** The port of the server: 1 to 65 535; default 53. */
  readonly port?: number
  /** The time between two queries of a sliver, in whole milliseconds: 50 to 3 600 000. A query is made also while the one before waits. */
  readonly everyMs: number
  /** The number of queries of each sliver: 1 to 1 000 000, and no more than fit into seven days. */
  readonly count: number
  /** A query without an answer after this time is lost, in whole milliseconds: 100 to 60 000; default 5000. */
  readonly timeoutMs?: number
}

/** The most queries per second, of one sliver and of all. A query takes a process for its time. */
const maxRate = { sliver: 20, slice: 1_000 }

const server = text('address of the server')
const domain = text('the name that was asked for')
const type = text('the type of its records')

const dnsPoint = point('dns', {
  server,
  domain,
  type,
  seq_no: integer('number of the query, from 1'),
  lost: bool('no answer came in time'),
  response_s: optional(seconds('from the query to the whole answer, with TCP where it was needed')),
  over: optional(text('udp; or tcp: the answer did not fit into UDP')),
  rcode: optional(text('NOERROR, NXDOMAIN, SERVFAIL and so on')),
  answers: optional(count('records of the answer')),
  answer: optional(text('these records, 500 characters of them at most')),
  ttl_s: optional(seconds('how long the first of them to end may be kept')),
  is_authoritative: optional(bool('the server is the one of the name, and no cache')),
  answer_bytes: optional(bytes('length of the message')),
  failed: optional(text('where a lost one ended: start, udp, tcp, answer')),
  error: optional(text('why')),
})

const dnsCountPoint = point('dns_count', {
  server,
  domain,
  type,
  sent: count('queries that were made'),
  unsent: count('queries that could not be made; each is a lost one, too'),
  received: count('answers, whatever they say'),
  lost: count('queries without an answer in time'),
})

/** The tables of a run of `measure('dns', …)`. */
export interface DnsTables {
  /** One row for each query. */
  readonly dns: RowOf<typeof dnsPoint>
  /** One row for each sliver, at the end. */
  readonly dns_count: RowOf<typeof dnsCountPoint>
  readonly tool: RowOf<typeof toolPoint>
}

/** A name of DNS. Source: RFC 1035, 2.3.4: labels of 63 bytes, names of 255 in a message, which are 253 characters. */
const domainName: Kind = {
  expected:
    'a name such as example.org: letters, digits, hyphens and underscores between dots, at most 63 between two and 253 in all; other letters as xn--…',
  is: (value) =>
    value === '.' ||
    (typeof value === 'string' &&
      value.length <= 254 &&
      value.replace(/\.$/u, '').length <= 253 &&
      /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/u.test(value)),
}

/**
 * Times and answers of a DNS server. See `Slice.measure`.
 *
 * Sources: RFC 1035, RFC 7766 (TCP), RFC 6891 (EDNS).
 */
export const dnsMeasurement: StandardMeasurement<DnsOptions> = {
  kinds: {
    ...countedKinds,
    domain: domainName,
    type: oneOf(...recordTypes),
    server: named,
    port: wholeNumber(1, 65_535),
  },
  plan(slice, { from, domain, server, type = 'AAAA', port = 53, timeoutMs = 5_000, ...series }) {
    requireCount({ ...series, timeoutMs }, 50)
    checkArgument('from', from, anyone)
    checkArgument('domain', domain, domainName)
    const sources = chooseSlivers(slice, from)
    requireRate(series.everyMs, { most: 1, all: sources.length }, maxRate)
    const options = {
      every_ns: series.everyMs * 1e6,
      patience_ns: timeoutMs * 1e6,
      count: series.count,
      domain,
      type,
      server: server === undefined ? '' : addressOf(slice, server),
      port,
    }
    const lines = sources.map((sliver) => ['from', sliver.id])
    return {
      programs: [{ on: sources, script: dnsProgram, args: [settings(options, lines)] }],
      points: [dnsPoint, dnsCountPoint, toolPoint],
      expectedMs: series.everyMs * series.count + timeoutMs + 2_000,
    }
  },
}

function addressOf(slice: SliceHandle, server: SliverOrNode): string {
  return typeof server === 'string' && isAddress(server) ? server : slice.sliver(server).address
}

function isAddress(value: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/u.test(value)) return value.split('.').every((part) => +part < 256)
  try {
    parseIpv6(value)
    return true
  } catch {
    // The name of a node.
    return false
  }
}
