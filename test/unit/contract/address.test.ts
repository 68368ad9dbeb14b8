import {
  hostManagementAddress,
  hostManagementSubnet,
  managementOwner,
  maxNodeId,
  maxSliceId,
  nodeManagementAddress,
  nodeManagementSubnet,
  serverManagementAddress,
  sliverDebugAddress,
  sliverMac,
  sliverManagementAddress,
  sliverPrivateAddress,
  sliverPublicAddress,
  vctManagementPrefix,
  type ManagementOwner,
} from '@community-lab/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const docs = '2001:db8:cafe::/48'
const sliver = { nodeId: 12345, sliceId: 9876543210 }

describe('the worked examples of CONFINE’s address plan', () => {
  test('server 2 of any testbed is P::2', () => {
    expect(serverManagementAddress(docs)).toBe('2001:db8:cafe::2')
    expect(serverManagementAddress(vctManagementPrefix, 2)).toBe('fd65:fc41:c50f::2')
  })

  test('a server’s id fills the last 48 bits', () => {
    expect(serverManagementAddress(docs, 0x1234_5678_9abc)).toBe('2001:db8:cafe::1234:5678:9abc')
  })

  test('host 7', () => {
    expect(hostManagementAddress(docs, 7)).toBe('2001:db8:cafe:0:2000::7')
    expect(hostManagementSubnet(docs)).toBe('2001:db8:cafe:0:2000::/80')
  })

  test('node 12345 and the /64 it owns', () => {
    expect(nodeManagementAddress(docs, 12345)).toBe('2001:db8:cafe:3039::2')
    expect(nodeManagementSubnet(docs, 12345)).toBe('2001:db8:cafe:3039::/64')
  })

  test('slice 9876543210 on node 12345: management interface 1, debug interface 4, private', () => {
    expect(sliverManagementAddress(docs, { ...sliver, interfaceNr: 1 })).toBe(
      '2001:db8:cafe:3039:1001:2:4cb0:16ea',
    )
    expect(sliverDebugAddress({ ...sliver, interfaceNr: 4 })).toBe(
      'fd5f:eee5:e6ad:3039:1004:2:4cb0:16ea',
    )
    expect(sliverPrivateAddress(sliver.sliceId)).toBe('fdbd:e804:6aa9:0:1000:2:4cb0:16ea')
  })

  test('a sliver’s MAC is prefix, node, sliver number, interface', () => {
    expect(sliverMac({ nodeId: 12345, sliverNr: 125, interfaceNr: 1 })).toBe('06:ab:30:39:7d:01')
    expect(sliverMac({ nodeId: 1, sliverNr: 1, interfaceNr: 0 }, 0x54c0)).toBe('54:c0:00:01:01:00')
  })
})

describe('addresses', () => {
  test('a sliver’s public address is its node’s /64 and the host part of the plan', () => {
    const at = { sliceId: 9876543210, interfaceNr: 3 }
    expect(sliverPublicAddress('fd77:0:0:1::/64', at)).toBe('fd77::1:1003:2:4cb0:16ea')
    expect(() => sliverPublicAddress('fd77::/48', at)).toThrow(RangeError)
  })

  test.each([0, -1, 1.5, maxNodeId + 1, Number.NaN])('node id %s is refused', (nodeId) => {
    expect(() => nodeManagementAddress(docs, nodeId)).toThrow(RangeError)
  })

  test.each([0, -1, 1.5, maxSliceId + 1])('slice id %s is refused', (sliceId) => {
    expect(() => sliverManagementAddress(docs, { nodeId: 1, sliceId, interfaceNr: 1 })).toThrow(
      RangeError,
    )
  })

  test.each([-1, 16, 256])('interface number %s is refused', (interfaceNr) => {
    expect(() => sliverManagementAddress(docs, { nodeId: 1, sliceId: 1, interfaceNr })).toThrow(
      RangeError,
    )
  })

  test.each([0, 126])('sliver number %s is refused', (sliverNr) => {
    expect(() => sliverMac({ nodeId: 1, sliverNr, interfaceNr: 0 })).toThrow(RangeError)
  })

  test.each(['2001:db8:cafe::/64', '2001:db8:cafe:1::/48', '2001:db8:cafe::', 'cafe/48'])(
    'prefix %s is refused',
    (prefix) => {
      expect(() => nodeManagementAddress(prefix, 1)).toThrow(RangeError)
    },
  )
})

describe('whose a management address is', () => {
  const id48 = fc.integer({ min: 1, max: maxSliceId })
  const nodeId = fc.integer({ min: 1, max: maxNodeId })
  const prefix = fc.constantFrom(docs, vctManagementPrefix, 'fdf5:5351:1dfd::/48')
  const owner: fc.Arbitrary<ManagementOwner> = fc.oneof(
    fc.record({ kind: fc.constant('server' as const), id: id48 }),
    fc.record({ kind: fc.constant('host' as const), id: id48 }),
    fc.record({ kind: fc.constant('node' as const), id: nodeId }),
    fc.record({
      kind: fc.constant('sliver' as const),
      nodeId,
      sliceId: id48,
      interfaceNr: fc.integer({ min: 0, max: 15 }),
    }),
  )
  const addressOf = (at: string, of: ManagementOwner): string =>
    of.kind === 'server'
      ? serverManagementAddress(at, of.id)
      : of.kind === 'host'
        ? hostManagementAddress(at, of.id)
        : of.kind === 'node'
          ? nodeManagementAddress(at, of.id)
          : sliverManagementAddress(at, of)

  test('follows from the address alone, for every owner in every testbed', () => {
    fc.assert(
      fc.property(prefix, owner, (at, of) => {
        expect(managementOwner(at, addressOf(at, of))).toEqual(of)
      }),
    )
  })

  test('different owners never share an address', () => {
    fc.assert(
      fc.property(owner, owner, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        expect(addressOf(docs, one) === addressOf(docs, other)).toBe(same)
      }),
    )
  })

  test.each([
    ['of another testbed', 'fd65:fc41:c50e:1::2'],
    ['of no server', '2001:db8:cafe::'],
    ['of the legacy gateways', '2001:db8:cafe:0:1::1'],
    ['of a node id above the last', '2001:db8:cafe:fff1::2'],
    ['in a node’s subnet but in no sliver', '2001:db8:cafe:1::3'],
    ['of slice 0', '2001:db8:cafe:1:1001::'],
    ['of a kind the plan has not', '2001:db8:cafe:1:3000::1'],
  ])('is nobody’s when it is %s', (_, address) => {
    expect(managementOwner(docs, address)).toBeNull()
  })
})
