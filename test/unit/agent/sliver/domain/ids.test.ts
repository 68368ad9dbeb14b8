import { expect, it } from 'vitest'
import {
  findOverlap,
  formerPlan,
  mapId,
  mapIds,
  parseAccounts,
  parseSubordinateIds,
  planIds,
  rangeOf,
} from '../../../../../agent/src/sliver/domain/ids.ts'

const initial = '         0          0 4294967295\n'
const podOfOrdinaryUser = '         0       1000          1\n         1     100000      65536\n'

const passwd = 'root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n'
const subuid = '# of people\nada:100000:65536\nfar:1900000000:65536\n'

it('gives each sliver of a host with all ids 65536 of its own, where no subordinate ids lie', () => {
  const plan = planIds(initial, parseSubordinateIds('ada:100000:65536\n', '/etc/subuid'), null)
  expect(plan).toEqual({ base: 0x7000_0000, count: 65_536 })
  expect(plan && mapIds(plan, 2)).toEqual([{ inside: 0, outside: 0x7002_0000, count: 65_536 }])
})

it('goes round the ids that somebody has, wherever they are', () => {
  const taken = [
    ...parseSubordinateIds('far:1879100000:65536\n', '/etc/subuid'),
    ...parseAccounts('directory:x:1885000000:100::/:/bin/sh\n', '/etc/passwd'),
  ]
  const plan = planIds(initial, taken, null)
  expect(plan?.count).toBe(65_536)
  expect((plan?.base ?? 0) % 65_536).toBe(0)
  expect(plan?.base).toBeGreaterThan(1_885_000_000)
  expect(plan && findOverlap(plan, taken)).toBeNull()
})

it('tells whose ids a plan has', () => {
  const taken = [
    ...parseAccounts(passwd, '/etc/passwd'),
    ...parseSubordinateIds(subuid, '/etc/subuid'),
  ]
  expect(findOverlap({ base: 100_000, count: 65_536 }, taken)?.whose).toBe('ada in /etc/subuid')
  expect(findOverlap({ base: 1_000, count: 500 }, taken)?.whose).toBe('ada in /etc/passwd')
  expect(findOverlap({ base: 0x7000_0000, count: 65_536 }, taken)).toBeNull()
})

it('gives slivers of nodes that share a host different ids, none of which somebody else has', () => {
  const taken = parseSubordinateIds('far:1879100000:65536\n', '/etc/subuid')
  const plans = Array.from({ length: 64 }, (_, n) => planIds(initial, taken, n + 1))
  const ranges = plans.map((plan) => rangeOf(plan ?? { base: 0, count: 0 }))
  for (const [n, { first, last }] of ranges.entries()) {
    expect(first).toBeGreaterThan(ranges[n - 1]?.last ?? 0)
    expect(last).toBeLessThan(2 ** 31)
  }
  expect(plans.map((plan) => plan && findOverlap(plan, taken))).toEqual(plans.map(() => null))
  expect(plans.map((plan) => plan?.count)).toEqual([16_384, ...new Array<number>(63).fill(32_768)])
  expect(planIds(initial, [], 1)).toEqual({ base: 0x7000_0000, count: 32_768 })
})

it('gives none on a host with all ids where somebody has those that are for slivers, rather than some that accounts may get', () => {
  const everything = parseSubordinateIds(`all:1879048192:268435456\n`, '/etc/subuid')
  expect(planIds(initial, everything, null)).toBeNull()
  expect(planIds(initial, everything, 3)).toBeNull()
})

it('gives each sliver of an ordinary user 500, its nobody among them, and leaves ids for accounts and servers', () => {
  expect(planIds(podOfOrdinaryUser, [], null)).toEqual({ base: 1_000, count: 500 })
  const plan = planIds(podOfOrdinaryUser, parseAccounts(passwd, '/etc/passwd'), null)
  expect(plan).toEqual({ base: 1_001, count: 500 })
  expect(plan && mapIds(plan, 1)).toEqual([
    { inside: 0, outside: 1_501, count: 499 },
    { inside: 65_534, outside: 2_000, count: 1 },
  ])
  const [last] = plan ? mapIds(plan, 125) : []
  expect(last && last.outside + 500).toBeLessThanOrEqual(64_100)
})

it('gives fewer where accounts leave less room', () => {
  const crowded = parseAccounts('late:x:9000:9000::/:/bin/sh\n', '/etc/passwd')
  expect(planIds(podOfOrdinaryUser, crowded, null)).toEqual({ base: 9_001, count: 400 })
})

it('gives none where there is one id, or too few in a row', () => {
  expect(planIds('0 1000 1\n', [], null)).toBeNull()
  expect(planIds('0 1000 1\n5 100000 65536\n', [], null)).toBeNull()
  expect(planIds('', [], null)).toBeNull()
})

it('knows which ids slivers had before they were written down', () => {
  expect(formerPlan(initial)).toEqual({ base: 100_000, count: 65_536 })
  expect(formerPlan(podOfOrdinaryUser)).toEqual({ base: 1_000, count: 500 })
})

it('translates ids that have a place, and no others', () => {
  const mapping = mapIds({ base: 1_000, count: 500 }, 1)
  expect([0, 42, 498, 499, 65_534].map((id) => mapId(mapping, id))).toEqual([
    1_500,
    1_542,
    1_998,
    null,
    1_999,
  ])
})
