import { defaultInterfaces, defaultSliverMacPrefix } from '@community-lab/contract'
import { expect, it } from 'vitest'
import {
  admitScript,
  expelScript,
  filterScript,
} from '../../../../../agent/src/sliver/domain/filter.ts'
import {
  computeInterfaces,
  hostInterface,
} from '../../../../../agent/src/sliver/domain/interfaces.ts'
import { nodeLinkLines, sliverLinkLines } from '../../../../../agent/src/sliver/domain/links.ts'

const mgmtPrefix = 'fd65:fc41:c50f::/48'
const plan = {
  nodeId: 0x0b,
  mgmtPrefix,
  macPrefix: defaultSliverMacPrefix,
  publicPrefix: 'fd77:0:0:b::/64',
}
const wanted = { nr: 1, sliceId: 0x10, interfaces: [...defaultInterfaces] }
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
  expect(nodeLinkLines({ nr: 1, interfaces }, 42).join('\n')).not.toContain('pub1')
  expect(admitScript({ nr: 1, interfaces })).not.toContain('slv-01-03')
})

it('moves each link into the sliver as it makes it, and writes neighbours and routes down on both sides', () => {
  expect(nodeLinkLines(sliver, 42)[0]).toBe(
    'link add name slv-01-01 mtu 1400 address 02:00:00:00:00:01 type veth peer name mgmt0 mtu 1400 address 06:ab:00:0b:01:01 netns 42',
  )
  const inside = sliverLinkLines(sliver.interfaces, mgmtPrefix)
  expect(inside).toContain(
    'route replace fd65:fc41:c50f::/48 via fe80::1 dev mgmt0 src fd65:fc41:c50f:b:1001::10',
  )
  expect(inside).toContain('route replace default via fe80::1 dev pub1 src fd77::b:1003:0:0:10')
})

it('lets pass what has the MAC and address of its interface, and takes that back', () => {
  const admitted = admitScript(sliver)
  expect(admitted).toContain(
    'sources { "slv-01-01" . 06:ab:00:0b:01:01 . fd65:fc41:c50f:b:1001::10 }',
  )
  expect(expelScript(sliver)).toBe(admitted + admitted.replaceAll('add element', 'delete element'))
})

it('makes the filter with the slivers that run, so that no agent’s restart opens or cuts them', () => {
  const script = filterScript(
    { serverAddress: 'fd65:fc41:c50f::2', mgmtPrefix, mgmtInterface: 'clab-n11' },
    [sliver],
  )
  expect(script).toContain('delete table inet community_lab_slivers')
  expect(script).toContain('iifname "clab-n11" ip6 saddr fd65:fc41:c50f::2 tcp dport 22 accept')
  expect(script.endsWith(admitScript(sliver))).toBe(true)
})
