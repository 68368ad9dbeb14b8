import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { measurements } from '../../../../kernel/src/measure/measurements.ts'
import type { SliceHandle, SliverOrNode } from '../../../../kernel/src/sliver/slice-handle.ts'
import type { Sliver } from '../../../../kernel/src/sliver/sliver.ts'
import { checkPoints } from '@community-lab/contract'

/** A slice on so many nodes. */
function aSlice(nodes: number): SliceHandle {
  const slivers = Array.from({ length: nodes }, (_, index) => ({
    id: `1@${index + 1}`,
    node: `n${index + 1}`,
    nodeId: index + 1,
    address: `fd77:0:0:${(index + 1).toString(16)}::1`,
  })) as unknown as Sliver[]
  const sliver = (which: SliverOrNode): Sliver => {
    const found = slivers.find((each) => each === which || each.node === which)
    if (found === undefined) throw new Error('no such sliver')
    return found
  }
  return { id: 1, name: 'first', slivers, sliver }
}

const all = { from: 'all', to: 'all' } as const
const pair = { from: 'n1', to: 'n2' } as const

it('has one program for all slivers, so that all to all of 64 nodes fits into a run', () => {
  const slice = aSlice(64)
  const plans = [
    measurements.rtt.plan(slice, { ...all, everyMs: 1_000, forMs: 3_600_000 }),
    measurements['one-way'].plan(slice, { ...all, everyMs: 1_000, forMs: 3_600_000 }),
    measurements.path.plan(slice, { ...all, everyMs: 3_600_000, forMs: 3_600_000 }),
    measurements.throughput.plan(slice, { ...all, testMs: 1_000 }),
    measurements.capture.plan(slice, { on: 'all', forMs: 1_000 }),
    measurements.http.plan(slice, { ...all, everyMs: 5_000, count: 9 }),
    measurements.dns.plan(slice, { from: 'all', domain: 'a.lab', everyMs: 100, count: 9 }),
  ]
  for (const { programs, points } of plans) {
    expect(programs).toHaveLength(1)
    const [{ on, script = '', args = [] } = {}] = programs
    expect(on).toHaveLength(64)
    expect(Buffer.byteLength(script + args.join(''))).toBeLessThan(65_536)
    expect(checkPoints(points)).toBeNull()
  }
})

it('says how long tests take one after the other, and refuses more than a day', () => {
  const { plan } = measurements.throughput
  expect(plan(aSlice(5), all).note).toBe('20 tests one after the other take 5 minutes')
  expect(plan(aSlice(5), pair).note).toBeNull()
  expect(() => plan(aSlice(64), { ...all, testMs: 60_000 })).toThrow(
    /4032 pairs, whose tests would take 71.7 hours/u,
  )
  expect(() => plan(aSlice(64), { ...all, parallel: true })).toThrow(/at most 32 pairs/u)
})

it('a round of paths takes as long as the other slivers need, not the own one', () => {
  const { plan } = measurements.path
  expect(plan(aSlice(2), { ...all, everyMs: 10_000, forMs: 10_000 }).programs).toHaveLength(1)
  expect(() => plan(aSlice(4), { ...all, everyMs: 20_000, forMs: 20_000 })).toThrow(
    '20000 for 3 targets, to which a round may take 24000 ms',
  )
})

it('refuses more samples than a slice stores, with the interval that would do', () => {
  const { plan } = measurements.rtt
  const options = { ...all, forMs: 60_000 }
  expect(() => plan(aSlice(64), { ...options, everyMs: 500 })).toThrow(
    /500 for 4032 pairs of slivers, which is 8064 samples a second; expected at least 807/u,
  )
  expect(() => plan(aSlice(64), { ...options, everyMs: 807 })).not.toThrow()
})

it('refuses what is out of range, in words, before anything starts', () => {
  const slice = aSlice(2)
  const { rtt, throughput, path, capture, http, dns } = measurements
  const few = { everyMs: 1_000, count: 3 }
  const domain = 'a.lab'
  const oneWay = measurements['one-way']
  const week = 7 * 86_400_000
  // What a variable that was not set is in a cell that casts.
  const missing = undefined as unknown as string
  const refused: readonly [() => unknown, RegExp][] = [
    [() => rtt.plan(slice, { ...pair, everyMs: 1, forMs: 1_000 }), /from 2 to 3600000/u],
    [() => rtt.plan(slice, { ...pair, everyMs: 1_000, forMs: week + 1 }), /forMs/u],
    [() => rtt.plan(slice, { from: 'n1', to: 'n1', everyMs: 9, forMs: 9 }), /another sliver/u],
    [
      () => rtt.plan(slice, { ...pair, to: missing, everyMs: 9, forMs: 9 }),
      /^to is undefined; expected .*'all'/u,
    ],
    [() => throughput.plan(slice, { ...pair, from: missing }), /^from is undefined/u],
    [
      () => path.plan(slice, { from: [], to: 'n1', everyMs: 99_999, forMs: 99_999 }),
      /^from is \[\]/u,
    ],
    [() => capture.plan(slice, { on: missing, forMs: 1_000 }), /^on is undefined/u],
    [() => capture.plan(slice, { on: [], forMs: 1_000 }), /^on is \[\]/u],
    [() => oneWay.plan(slice, { ...pair, everyMs: 60_001, forMs: 99_000 }), /from 2 to 60000/u],
    [() => throughput.plan(slice, { ...pair, protocol: 'udp' }), /rateMbps, which udp needs/u],
    [() => path.plan(slice, { ...pair, everyMs: 9_999, forMs: 9_999 }), /from 10000/u],
    [
      () => path.plan(aSlice(9), { ...all, everyMs: 10_000, forMs: 10_000 }),
      /8 targets, to which/u,
    ],
    [() => capture.plan(slice, { on: 'n1', forMs: 999 }), /from 1000/u],
    [() => http.plan(slice, { from: 'n1', ...few }), /neither to nor url/u],
    [() => http.plan(slice, { ...pair, url: 'http://a.lab', ...few }), /both to and url/u],
    [() => http.plan(slice, { from: 'n1', url: 'ftp://a.lab', ...few }), /^url is .*http or/u],
    [() => http.plan(slice, { from: 'n1', url: 'http://me:pw@a.lab', ...few }), /without a user/u],
    [() => http.plan(slice, { ...pair, mostBytes: 9, ...few }), /^mostBytes is given with to/u],
    [() => http.plan(slice, { ...pair, everyMs: 49, count: 1 }), /everyMs is 49; .*from 50/u],
    [() => http.plan(slice, { ...pair, everyMs: 3_600_000, count: 169 }), /from 1 to 168/u],
    [() => http.plan(slice, { ...pair, ...few, timeoutMs: 99 }), /timeoutMs is 99/u],
    [() => http.plan(aSlice(40), { ...all, ...few }), /expected at least 2000 for so many/u],
    [() => dns.plan(slice, { from: 'n1', domain: 'ä.lab', ...few }), /xn--/u],
    [() => dns.plan(slice, { from: 'n1', domain: 'a..b', ...few }), /^domain is/u],
    [() => dns.plan(slice, { from: missing, domain, ...few }), /^from is undefined/u],
    [() => dns.plan(slice, { from: 'n1', domain, ...few, server: 'n9' }), /no such sliver/u],
    [() => dns.plan(slice, { from: 'n1', domain, ...few, count: 0 }), /^count is 0/u],
  ]
  for (const [plan, words] of refused) expect(plan).toThrow(words)
})

it('gives a measurement the time until its last probe is given up', () => {
  const { rtt } = measurements
  const plan = (everyMs: number, forMs: number) => rtt.plan(aSlice(3), { ...all, everyMs, forMs })
  // The last of two probes of each pair is sent before the end, and lost two minutes later.
  expect(plan(120_000, 240_000).expectedMs).toBe(360_000)
  expect(plan(1_000, 60_000).expectedMs).toBe(61_000)
  // It sends whole intervals.
  const oneWay = measurements['one-way'].plan(aSlice(2), {
    ...pair,
    everyMs: 60_000,
    forMs: 90_000,
  })
  const counts = [plan(60_000, 90_000), oneWay].map(
    ({ programs: [program] }) => /^count=(\d+)$/mu.exec(String(program?.args?.[0]))?.[1],
  )
  expect(counts).toEqual(['1', '1'])
})

it('gives a program the parts of a URL, which it cannot find itself', () => {
  const parts = (url: string) => {
    const plan = measurements.http.plan(aSlice(1), { from: 'all', url, everyMs: 99, count: 1 })
    return String(plan.programs[0]?.args?.[0]).split('\n')
  }
  expect(parts('https://Example.org/a b?c="d"')).toEqual(
    expect.arrayContaining([
      ...['url=https://example.org/a%20b?c=%22d%22', 'scheme=https', 'host=example.org'],
      ...['port=443', 'authority=example.org', 'target=/a%20b?c=%22d%22'],
    ]),
  )
  expect(parts('http://[fd00::1]:81')).toEqual(
    expect.arrayContaining(['host=fd00::1', 'port=81', 'authority=[fd00::1]:81', 'target=/']),
  )
})

it('asks the DNS server at an address, on a sliver, or the one of each sliver', () => {
  const server = (which?: string) => {
    const given = which === undefined ? {} : { server: which }
    const options = { from: 'n1', domain: 'a.lab', everyMs: 99, count: 1, ...given }
    const plan = measurements.dns.plan(aSlice(2), options)
    return /^server=(.*)$/mu.exec(String(plan.programs[0]?.args?.[0]))?.[1]
  }
  expect(['192.0.2.1', 'fd00::1', 'n2'].map(server)).toEqual([
    '192.0.2.1',
    'fd00::1',
    'fd77:0:0:2::1',
  ])
  expect(server()).toBe('')
})

it('gives a trace the names of nodes, those of the slice first where there are too many', () => {
  const nodes = Array.from({ length: 2_000 }, (_, index) => ({
    name: `a-node-with-a-long-name-${index}`,
    address: 'fd77:1234:5678:9abc:def0:1234:5678:9abc',
    prefix: 'fd77:1234:5678:9abc::/64',
  }))
  const own = { name: 'n2', address: null, prefix: 'fd77:0:0:2::/64' }
  const options = { ...pair, everyMs: 10_000, forMs: 10_000 }
  const { programs } = measurements.path.plan(aSlice(2), options, [...nodes, own])
  const [{ script = '', args = [] } = {}] = programs
  const lines = String(args[0])
    .split('\n')
    .filter((line) => line.startsWith('node '))
  expect(lines).toHaveLength(400)
  expect(lines[0]).toBe('node n2 - fd77:0:0:2::')
  expect(Buffer.byteLength(script + args.join(''))).toBeLessThan(65_536)
})

it('measures 50 nodes from all to all at the rates that the README tells', () => {
  const slice = aSlice(50)
  const { rtt, http, path, throughput } = measurements
  const oneWay = measurements['one-way']
  const refused: readonly [() => unknown, RegExp][] = [
    [() => rtt.plan(slice, { ...all, everyMs: 489, forMs: 999 }), /2450 pairs .*least 490/u],
    [() => oneWay.plan(slice, { ...all, everyMs: 489, forMs: 999 }), /at least 490/u],
    [() => http.plan(slice, { ...all, everyMs: 2_499, count: 1 }), /at least 2500/u],
    [() => path.plan(slice, { ...all, everyMs: 10_000, forMs: 10_000 }), /take 392000 ms/u],
  ]
  for (const [plan, words] of refused) expect(plan).toThrow(words)
  expect(throughput.plan(slice, all).note).toBe('2450 tests one after the other take 572 minutes')
})

it('has options and tables that a notebook can name', () => {
  const source = (file: string): string =>
    readFileSync(new URL(`../../../../kernel/src/${file}`, import.meta.url), 'utf8')
  const names = source('measure/measurements.ts').match(/\b\w+(?:Options|Tables)\b/gu) ?? []
  const exported = new Set(source('index.ts').match(/\w+/gu))
  expect(names.length).toBeGreaterThan(0)
  expect(names.filter((name) => !exported.has(name))).toEqual([])
})
