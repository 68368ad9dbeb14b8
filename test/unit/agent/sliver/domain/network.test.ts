import { defaultInterfaces, defaultSliverMacPrefix } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { filterScript } from '../../../../../agent/src/sliver/domain/filter.ts'
import {
  computeInterfaces,
  hostInterface,
} from '../../../../../agent/src/sliver/domain/interfaces.ts'
import {
  linkCreationLines,
  nodeLinkLines,
  sliverLinkLines,
} from '../../../../../agent/src/sliver/domain/links.ts'

const mgmtPrefix = 'fd65:fc41:c50f::/48'
const plan = {
  nodeId: 0x0b,
  mgmtPrefix,
  macPrefix: defaultSliverMacPrefix,
  publicPrefix: 'fd77:0:0:b::/64',
}
const wanted = { id: '16@11', nr: 1, sliceId: 0x10, interfaces: [...defaultInterfaces] }
const network = { serverAddress: 'fd65:fc41:c50f::2', mgmtPrefix, mgmtInterface: 'clab-n11' }
const sliver = { nr: 1, interfaces: computeInterfaces(plan, wanted) }

it('computes addresses and MACs from ids alone', () => {
  expect(sliver.interfaces).toEqual([
    {
      nr: 1,
      name: 'mgmt0',
      type: 'management',
      mac_addr: '06:ab:00:0b:01:01',
      ipv6_addr: 'fd65:fc41:c50f:b:1001::10',
    },
    {
      nr: 3,
      name: 'pub1',
      type: 'public6',
      mac_addr: '06:ab:00:0b:01:03',
      ipv6_addr: 'fd77::b:1003:0:0:10',
    },
  ])
})

it('names the node’s ends by sliver and interface, in hexadecimal', () => {
  expect(hostInterface(125, 3)).toBe('slv-7d-03')
})

it('makes no public interface on a node without a public prefix', () => {
  const interfaces = computeInterfaces({ ...plan, publicPrefix: null }, wanted)
  expect(interfaces[1]?.ipv6_addr).toBeNull()
  const without = { nr: 1, interfaces }
  expect(linkCreationLines(without, '/proc/9/fd/42').join('\n')).not.toContain('pub1')
  const script = filterScript({ network, slivers: [without], hostInterfaces: [], mbps: null })
  expect(script).not.toContain('slv-01-03')
})

it('moves each link into the sliver as it makes it, and writes neighbours and routes down on both sides', () => {
  expect(linkCreationLines(sliver, '/proc/9/fd/42')[0]).toBe(
    'link add name slv-01-01 mtu 1400 address 02:00:00:00:00:01 type veth peer name mgmt0 mtu 1400 address 06:ab:00:0b:01:01 netns /proc/9/fd/42',
  )
  const outside = nodeLinkLines(sliver)
  expect(outside).toContain(
    'neigh replace fd77::b:1003:0:0:10 lladdr 06:ab:00:0b:01:03 dev slv-01-03 nud permanent',
  )
  const inside = sliverLinkLines(sliver.interfaces, mgmtPrefix)
  expect(inside).toContain(
    'route replace fd65:fc41:c50f::/48 via fe80::1 dev mgmt0 src fd65:fc41:c50f:b:1001::10',
  )
  expect(inside).toContain('route replace default via fe80::1 dev pub1 src fd77::b:1003:0:0:10')
})

it('refuses an interface of a kind that it does not have, and names those that it has', () => {
  const future = { ...wanted, interfaces: [{ nr: 0, name: 'iso0', type: 'isolated' as never }] }
  expect(() => computeInterfaces(plan, future)).toThrow(
    'sliver 16@11 asks for an interface of the kind "isolated", and this node\'s agent knows management and public6',
  )
})

it('lets pass what has the MAC and address of its interface, of the slivers that run and no others', () => {
  const source = '"slv-01-01" . 06:ab:00:0b:01:01 . fd65:fc41:c50f:b:1001::10'
  const script = (slivers: readonly (typeof sliver)[]) =>
    filterScript({ network, slivers, hostInterfaces: [], mbps: null })
  expect(script([sliver])).toContain(source)
  expect(script([])).not.toContain('slv-01')
  expect(script([sliver])).toContain(
    'iifname "clab-n11" ip6 saddr { fd65:fc41:c50f::2, fd65:fc41:c50f:0:2000::/80 } tcp dport 22 accept',
  )
})

it('lets errors pass about what came to the sliver that sends them', () => {
  const script = filterScript({ network, slivers: [sliver], hostInterfaces: [], mbps: null })
  expect(script).toContain('"slv-01-03" . 0xfd7700000000000b1003000000000010')
  expect(script.indexOf('jump icmp_errors')).toBeLessThan(script.indexOf('@sources notrack'))
})
