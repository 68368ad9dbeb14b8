import { expect, it } from 'vitest'
import {
  neighbourRules,
  nextHopsPerLink,
  withoutDynamicElements,
} from '../../../../../agent/src/sliver/domain/neighbours.ts'

it('shares half of the neighbour table out among the links, and leaves each a few next hops', () => {
  expect([0, 1, 4, 8, 64, 200].map(nextHopsPerLink)).toEqual([64, 64, 64, 32, 4, 4])
})

it('gives each link a set of its own, and writes nothing where there are no links', () => {
  const rules = neighbourRules(['slv-01-03', 'slv-02-03'])
  expect(rules).toContain('"slv-01-03" : goto next_hops_slv_01_03')
  expect(rules).toContain('set next_hops_slv_02_03 { type ipv6_addr; size 64;')
  expect(neighbourRules([])).toBe('')
})

it('takes what packets have added out of a listing, and leaves what was set', () => {
  const listing = (elements: string): string => `table inet t {
\tset next_hops_slv_01_03 {
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
