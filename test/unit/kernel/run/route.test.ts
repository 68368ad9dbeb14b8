import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { createRoute, nameHops, readHops } from '../../../../kernel/src/run/route.ts'

const nodes = [
  { name: 'n1', address: 'fd77::1', prefix: 'fd77:0:0:1::/64' },
  { name: 'n2', address: 'fd77::2', prefix: 'fd77:0:0:2::/64' },
  { name: 'n5', address: null, prefix: 'fd77:0:0:5::/64' },
]
const to = 'fd77:0:0:5::7'

// Output of iputils 20221126. The lines of the probes are interleaved.
const output = `2 PING ${to}(${to}) 56 data bytes
2 From fd77::2 icmp_seq=1 Time exceeded: Hop limit
1 From fd77:0:0:1::1%pub1 icmp_seq=1 Time exceeded: Hop limit
5 64 bytes from ${to}: icmp_seq=1 ttl=61 time=10.3 ms
4 64 bytes from ${to}: icmp_seq=1 ttl=61 time=10.2 ms
3 1 packets transmitted, 0 received, 100% packet loss, time 0ms
`

it('reads the route to the destination, with a router that did not answer', () => {
  const { hops, reached } = readHops(output, to)
  expect(reached).toBe(true)
  expect(hops.map(({ address }) => address)).toEqual(['fd77:0:0:1::1', 'fd77::2', null, to])
})

it('shows a route as its nodes', () => {
  const { hops, reached } = readHops(output, to)
  const route = createRoute('n1', nameHops(hops, nodes), reached)
  expect(route.path).toEqual(['n1', 'n2', '?', 'n5'])
  expect(inspect(route)).toBe('n1 → n2 → ? → n5')
})

it('reports that the destination did not answer', () => {
  const { hops, reached } = readHops('1 From fd77::9 icmp_seq=1 Time exceeded: Hop limit\n', to)
  expect(inspect(createRoute('n1', nameHops(hops, nodes), reached))).toBe(
    'n1 → fd77::9 → (no answer)',
  )
})
