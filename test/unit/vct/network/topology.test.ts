import { expect, test } from 'vitest'
import {
  communityAddress,
  interfacesOf,
  maybeNodeNumber,
  planTopology,
  publicPrefix,
} from '../../../../server/vct/src/network/topology.ts'

const joined = (count: number) => planTopology(count).links.map(({ a, b }) => `${a}-${b}`)

test('five nodes are a line with a shortcut, so that n1 is two links from n5 and there are two ways', () => {
  expect(joined(5)).toEqual(['1-2', '2-3', '3-4', '4-5', '2-5'])
})

test('few nodes are a line', () => {
  expect(joined(1)).toEqual([])
  expect(joined(3)).toEqual(['1-2', '2-3'])
})

test('the server hangs on two nodes where there are three, so that no single cut takes it away', () => {
  expect(planTopology(2).uplinks).toEqual([1])
  expect(planTopology(3).uplinks).toEqual([1, 3])
})

test('every link has a shape', () => {
  for (const { shape } of planTopology(5).links) expect(shape).toEqual({ rateMbps: 20, delayMs: 5 })
})

test.each([0, 65, 1.5, Number.NaN])('%s nodes are refused', (count) => {
  expect(() => planTopology(count)).toThrow('the number of nodes is 1 to 64')
})

test('addresses follow from the number, in hexadecimal', () => {
  expect(communityAddress(16)).toBe('fd77::10')
  expect(publicPrefix(64)).toBe('fd77:0:0:40::/64')
})

test('a node has an interface for each link and one for the server', () => {
  const topology = planTopology(5)
  expect(interfacesOf(topology, 1)).toEqual(['w2', 'up0'])
  expect(interfacesOf(topology, 2)).toEqual(['w1', 'w3', 'w5'])
})

test('node names are n and a number without leading zeros', () => {
  expect(['n1', 'n64', 'n0', 'n01', 'm1', 'n1 '].map(maybeNodeNumber)).toEqual([
    ...[1, 64],
    ...[null, null, null, null],
  ])
})
