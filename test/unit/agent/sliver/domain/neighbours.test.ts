import { expect, it } from 'vitest'
import { hostInterface } from '../../../../../agent/src/sliver/domain/interfaces.ts'
import {
  neighbourRules,
  nextHopsPerSliver,
  withoutDynamicElements,
} from '../../../../../agent/src/sliver/domain/neighbours.ts'

it('shares half of the neighbour table out among the slivers, and never more than that', () => {
  expect([0, 1, 4, 8, 64, 125].map(nextHopsPerSliver)).toEqual([64, 64, 64, 32, 4, 2])
  // An entry for each next hop, and one for the multicast group in which it is asked for.
  for (let slivers = 1; slivers <= 125; slivers++)
    expect(2 * slivers * nextHopsPerSliver(slivers)).toBeLessThanOrEqual(512)
})

it('bounds a sliver, however many interfaces it has', () => {
  const links = Array.from({ length: 15 }, (_, nr) => hostInterface(1, nr + 1))
  const rules = neighbourRules([
    { nr: 1, links },
    { nr: 2, links: ['slv-02-03'] },
    { nr: 3, links: [] },
  ])
  expect(rules).toContain('set next_hops_1 { type iface_index . ipv6_addr; size 64;')
  expect(rules.match(/goto next_hops_1\b/gu)).toHaveLength(15)
  expect(rules).toContain('"slv-02-03" : goto next_hops_2')
  expect(rules).not.toContain('next_hops_3')
  expect(neighbourRules([])).toBe('')
})

it('takes what packets have added out of a listing, and leaves what was set', () => {
  const listing = (elements: string): string => `table inet t {
\tset next_hops_1 {
\t\ttype ipv6_addr
\t\tsize 64
\t\tflags dynamic,timeout
${elements}\t}

\tset addresses {
\t\ttype ipv6_addr
\t\telements = { fd00::1,
\t\t\t     fd00::2 }
\t}
}
`
  const added = '\t\telements = { fe80::1 timeout 1m,\n\t\t\t     fe80::2 timeout 1m }\n'
  expect(withoutDynamicElements(listing(added))).toBe(listing(''))
  expect(withoutDynamicElements(listing(''))).toBe(listing(''))
})
