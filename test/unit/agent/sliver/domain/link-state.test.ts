import { expect, it } from 'vitest'
import { findLacks, parseLinkState } from '../../../../../agent/src/sliver/domain/link-state.ts'

const sliver = {
  nr: 1,
  interfaces: [
    {
      nr: 3,
      name: 'mgmt0',
      type: 'management' as const,
      mac_addr: '06:ab:00:0b:01:03',
      ipv6_addr: 'fd77::1',
    },
  ],
}
const listing = [
  '12: slv-01-03@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP \\    link/ether 02:00:00:00:00:01',
  '1: lo    inet6 ::1/128 scope host \\       valid_lft forever preferred_lft forever',
  '12: slv-01-03    inet6 fe80::1/64 scope link nodad \\       valid_lft forever preferred_lft forever',
  'fd77::1 dev slv-01-03 lladdr 06:ab:00:0b:01:03 PERMANENT ',
  'fd77::1 dev slv-01-03 metric 1024 pref medium',
]

function lacksWithout(nr: number | null): readonly string[] {
  return findLacks(
    sliver,
    parseLinkState(listing.filter((_line, index) => index !== nr).join('\n')),
  )
}

it('finds nothing missing of a link that has all', () => {
  expect(lacksWithout(null)).toEqual([])
})

it('names each thing that is missing; a neighbour does not pass for a route, nor a route for a neighbour', () => {
  expect(lacksWithout(0)).toEqual(['the link slv-01-03'])
  expect(lacksWithout(2)).toEqual(['the address of slv-01-03'])
  expect(lacksWithout(3)).toEqual(['the neighbour behind slv-01-03'])
  expect(lacksWithout(4)).toEqual(['the route to slv-01-03'])
})

it('tells a link that is down', () => {
  const down = listing.join('\n').replace('UP,LOWER_UP', 'DOWN')
  expect(findLacks(sliver, parseLinkState(down))).toEqual(['the state "up" of slv-01-03'])
})
