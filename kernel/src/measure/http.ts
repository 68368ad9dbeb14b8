import {
  bool,
  bytes,
  count,
  integer,
  LabError,
  optional,
  point,
  seconds,
  text,
  type RowOf,
} from '@community-lab/contract'
import { checkArgument, wholeNumber, type Kind } from '../argument.ts'
import { chooseSlivers } from '../run/start.ts'
import type { SliceHandle, SliverOrNode } from '../sliver/slice-handle.ts'
import { anyone, chooseEnds, countedKinds, requireCount, requireRate, type Ends } from './ends.ts'
import { httpProgram } from './http-program.ts'
import type { MeasureOptions, StandardMeasurement } from './measurement.ts'
import { endLine, settings } from './prober.ts'
import { toolPoint } from './tool.ts'

/** What to measure: with `to`, or with `url`. */
export interface HttpOptions extends MeasureOptions {
  /** The slivers that fetch, or the names of their nodes; the text `all`: every sliver. */
  readonly from: SliverOrNode | readonly SliverOrNode[]
  /** The slivers that answer, given in the same way. A small server runs there as long as the measurement. */
  readonly to?: SliverOrNode | readonly SliverOrNode[]
  /** What is fetched instead: a URL of http or https. https needs curl in the template, which `tiny` does not have. */
  readonly url?: string
  /** The time between two fetches of a pair, in whole milliseconds: 50 to 3 600 000. A fetch begins also while the one before goes on. */
  readonly everyMs: number
  /** The number of fetches of each pair: 1 to 1 000 000, and no more than fit into seven days. */
  readonly count: number
  /** A fetch that has not ended after this time is lost, in whole milliseconds: 100 to 60 000; default 10 000. */
  readonly timeoutMs?: number
  /** The bytes of the body that a sliver answers: 0 to 10 000 000; default 1000. Only with `to`. */
  readonly bodyBytes?: number
  /** The most bytes of a body that are read; a longer answer is a lost one: 1 to 100 000 000; default 10 000 000. Only with `url`. */
  readonly mostBytes?: number
}

/** How long slivers wait until the servers on the others are there, in milliseconds. */
const leadMs = 15_000
/** The most fetches per second: of one sliver, or that one answers; and of all. A fetch takes a process for its time, and some milliseconds of a processor. */
const maxRate = { sliver: 20, slice: 1_000 }

const httpPoint = point('http', {
  peer: optional(text('the node that answered; null: it was a URL')),
  url: optional(text('what was fetched; null: from the server of a sliver')),
  seq_no: integer('number of the fetch, from 1'),
  lost: bool('no whole answer came in time; one with an error as its status is not lost'),
  status: optional(integer('the status of the answer, such as 200')),
  address: optional(text('the address that answered')),
  dns_s: optional(seconds('looking up the name; null: the URL has an address')),
  connect_s: optional(seconds('making the connection of TCP')),
  tls_s: optional(seconds('making TLS on it; null: it is not https')),
  first_byte_s: optional(seconds('from the request to the first byte of the answer')),
  receive_s: optional(seconds('from the first byte of the answer to the last')),
  total_s: optional(seconds('all of these, from the begin to the last byte; null: lost')),
  body_bytes: optional(bytes('length of the body')),
  failed: optional(text('where a lost one ended: start, dns, connect, tls, first_byte, receive')),
  error: optional(text('why')),
})

const httpCountPoint = point('http_count', {
  peer: optional(text('the node that answered; null: it was a URL')),
  url: optional(text('what was fetched')),
  sent: count('fetches that began'),
  unsent: count('fetches that could not begin; each is a lost one, too'),
  received: count('whole answers, whatever their status'),
  lost: count('fetches without a whole answer in time'),
})

/** The tables of a run of `measure('http', …)`. */
export interface HttpTables {
  /** One row for each fetch. */
  readonly http: RowOf<typeof httpPoint>
  /** One row for each pair of slivers, or for each sliver and the URL, at the end. */
  readonly http_count: RowOf<typeof httpCountPoint>
  readonly tool: RowOf<typeof toolPoint>
}

const webUrl: Kind = {
  expected: 'a URL of http or https without a user and a fragment, of 1000 characters at most',
  is: (value) => typeof value === 'string' && readUrl(value) !== null,
}

/**
 * Fetches by HTTP, phase by phase. See `Slice.measure`.
 *
 * Sources: W3C Resource Timing (phases), RFC 9110 and RFC 9112 (HTTP/1.1), curl(1).
 */
export const httpMeasurement: StandardMeasurement<HttpOptions> = {
  kinds: {
    ...countedKinds,
    to: anyone,
    url: webUrl,
    bodyBytes: wholeNumber(0, 10_000_000, 'bytes'),
    mostBytes: wholeNumber(1, 100_000_000, 'bytes'),
  },
  plan(slice, { everyMs, count: fetches, timeoutMs = 10_000, ...options }) {
    requireCount({ everyMs, count: fetches, timeoutMs }, 50)
    const { sources, targets, pairs } = chooseHttpEnds(slice, options)
    const most = Math.max(1, targets.length, pairs.length === 0 ? 0 : sources.length)
    requireRate(everyMs, { most, all: Math.max(sources.length, pairs.length) }, maxRate)
    const { bodyBytes = 1000, mostBytes = 10_000_000 } = options
    const set = {
      every_ns: everyMs * 1e6,
      patience_ns: timeoutMs * 1e6,
      count: fetches,
      most_bytes: options.url === undefined ? bodyBytes : mostBytes,
      body_bytes: bodyBytes,
      ...partsOf(options.url),
    }
    const lines = [
      ...sources.map((sliver) => ['from', sliver.id]),
      ...targets.map((sliver) => endLine('to', sliver)),
    ]
    const on = [...new Set(pairs.length === 0 ? sources : pairs.flat())]
    return {
      programs: [{ on, script: httpProgram, args: [settings(set, lines)] }],
      points: [httpPoint, httpCountPoint, toolPoint],
      expectedMs: leadMs + everyMs * fetches + timeoutMs + 10_000,
    }
  },
}

function chooseHttpEnds(
  slice: SliceHandle,
  { from, to, url, bodyBytes, mostBytes }: Partial<HttpOptions>,
): Ends {
  checkArgument('from', from, anyone)
  if ((to === undefined) === (url === undefined))
    throw new LabError('LAB_ARGUMENT_INVALID', {
      argument: 'the options of measure',
      found: to === undefined ? 'neither to nor url' : 'both to and url',
      expected: 'one of them: the slivers that answer, or what is fetched',
    })
  const foreign = url === undefined ? { mostBytes } : { bodyBytes }
  for (const [argument, value] of Object.entries(foreign))
    if (value !== undefined)
      throw new LabError('LAB_ARGUMENT_INVALID', {
        argument,
        found: `given with ${url === undefined ? 'to' : 'url'}`,
        expected: 'bodyBytes with to, mostBytes with url',
      })
  if (from !== undefined && to !== undefined) return chooseEnds(slice, { from, to })
  checkArgument('url', url, webUrl)
  return { sources: chooseSlivers(slice, from), targets: [], pairs: [] }
}

function readUrl(value: string): URL | null {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/u.test(url.protocol) || url.href.length > 1000) return null
  return url.username === '' && url.password === '' && url.hash === '' ? url : null
}

/** Return the parts of a URL that a program needs; it has no parser of its own. */
function partsOf(value: string | undefined): Readonly<Record<string, string | number>> {
  const url = value === undefined ? null : readUrl(value)
  if (url === null) return {}
  const scheme = url.protocol.slice(0, -1)
  return {
    url: url.href,
    scheme,
    host: url.hostname.replace(/^\[|\]$/gu, ''),
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
    authority: url.host,
    target: `${url.pathname}${url.search}`,
  }
}
