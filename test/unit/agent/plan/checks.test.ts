import { expect, it } from 'vitest'
import { checkNode, holdByChecks, type OwnNode } from '../../../../agent/src/plan/checks.ts'
import type { NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import { readWanted } from '../../../../agent/src/plan/wanted.ts'
import { aTarget } from './situation.ts'

const own: OwnNode = {
  id: 1,
  arch: 'x86_64',
  mgmtPrefix: 'fd65:fc41:c50f::/48',
  offered: [{ name: 'disk', total: 100, max_req: 100, dflt_req: 100 }],
}
const right: NodeWanted = { ...aTarget(), arch: own.arch, mgmtPrefix: own.mgmtPrefix }

it('a node that is what the registry has of it has nothing to tell, nor where a server does not say', () => {
  for (const target of [right, aTarget()]) {
    expect(checkNode(target, own)).toEqual([])
    expect(holdByChecks(target, [])).toBe(target)
  }
})

for (const [member, target, node, found] of [
  ['/id', { ...right, node: { ...right.node, id: 7 } }, own, /its id is 1.*of node 7/u],
  ['/arch', { ...right, arch: 'mips_24kc' }, own, /its processor is x86_64.*has mips_24kc/u],
  ['/mgmt_net', { ...right, mgmtPrefix: 'fd00::/48' }, own, /fd65:fc41:c50f::.* has fd00::/u],
  [
    '/resources/disk',
    right,
    { ...own, offered: [{ name: 'disk', total: 0, max_req: 0, dflt_req: 0 }] },
    /0 MiB of disk/u,
  ],
] as const)
  it(`a node whose ${member} contradicts the registry says so, and is in debug whatever is wanted`, () => {
    const faults = checkNode(target, node)
    expect(faults).toMatchObject([{ member, message: expect.stringMatching(found) as string }])
    for (const set_state of ['safe', 'production', 'debug', 'failure'] as const) {
      const held = holdByChecks({ ...target, node: { ...target.node, set_state } }, faults)
      expect(held.node.set_state).toBe(set_state === 'failure' ? 'failure' : 'debug')
    }
  })

it('a management network that is spelled otherwise is the same one', () => {
  for (const mgmtPrefix of ['fd65:fc41:c50f:0::/48', 'FD65:FC41:C50F:0:0:0:0:0/48'])
    expect(checkNode({ ...right, mgmtPrefix }, own)).toEqual([])
})

it('what the registry has of a node is read as text, so that an architecture of the future is no riddle', () => {
  const node = { id: 1, name: 'n1', set_state: 'production', boot_sn: 0, arch: 'riscv128' }
  const testbed = { sliver_mac_prefix: 1, mgmt_ipv6_prefix: own.mgmtPrefix }
  expect(readWanted({ node, testbed, slivers: [] })).toMatchObject({
    arch: 'riscv128',
    mgmtPrefix: own.mgmtPrefix,
  })
})
