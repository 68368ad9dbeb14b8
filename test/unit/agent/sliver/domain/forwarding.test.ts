import { expect, it } from 'vitest'
import {
  planForwarding,
  type InterfaceForwarding,
} from '../../../../../agent/src/sliver/domain/forwarding.ts'

const host = (name: string, more: Partial<InterfaceForwarding> = {}): InterfaceForwarding => ({
  name,
  forwarding: false,
  forced: '0',
  acceptRa: '1',
  ...more,
})
const purpose = { mgmtInterface: 'clab-n3', fromOthers: true }
const written = ({ settings }: ReturnType<typeof planForwarding>) =>
  settings.map(({ name, setting, value }) => `${name}/${setting}=${value}`)

it('lets single interfaces forward where the kernel can, and holds the owner’s to slivers', () => {
  const interfaces = [host('eth0'), host('clab-n3'), host('slv-01-03')]
  const plan = planForwarding({ all: false, byDefault: false, interfaces }, purpose)
  expect(written(plan)).toEqual([
    'eth0/force_forwarding=1',
    'clab-n3/force_forwarding=1',
    'slv-01-03/force_forwarding=1',
  ])
  expect(plan.hostInterfaces).toEqual(['eth0'])
})

it('leaves the owner’s interfaces alone where slivers have no public addresses', () => {
  const interfaces = [host('eth0'), host('clab-n3')]
  const state = { all: false, byDefault: false, interfaces }
  const plan = planForwarding(state, { ...purpose, fromOthers: false })
  expect(written(plan)).toEqual(['clab-n3/force_forwarding=1'])
  expect(plan.hostInterfaces).toEqual([])
})

it('changes nothing that is as it should be', () => {
  const interfaces = [host('eth0', { forced: '1' }), host('clab-n3', { forced: '1' })]
  const plan = planForwarding({ all: false, byDefault: false, interfaces }, purpose)
  expect(written(plan)).toEqual([])
  expect(plan.hostInterfaces).toEqual(['eth0'])
})

it('changes nothing on the owner’s router, and lets it forward', () => {
  const interfaces = [host('eth0', { forwarding: true }), host('eth1', { forwarding: true })]
  const plan = planForwarding({ all: true, byDefault: true, interfaces }, purpose)
  expect(plan).toEqual({ settings: [], hostInterfaces: [] })
})

it('switches forwarding on in an older kernel so that hosts stay hosts and accept router advertisements throughout', () => {
  const old = { forced: null }
  const interfaces = [
    host('eth0', old),
    host('eth1', { ...old, acceptRa: '0' }),
    host('slv-01-01', old),
  ]
  const plan = planForwarding({ all: false, byDefault: false, interfaces }, purpose)
  expect(written(plan)).toEqual([
    'eth0/accept_ra=2',
    'all/forwarding=1',
    'default/forwarding=0',
    'eth0/forwarding=0',
    'eth1/forwarding=0',
    'eth0/accept_ra=1',
  ])
  expect(plan.hostInterfaces).toEqual(['eth0', 'eth1'])
  const after = planForwarding({ all: true, byDefault: false, interfaces }, purpose)
  expect(after).toEqual({ settings: [], hostInterfaces: ['eth0', 'eth1'] })
})
