import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { path, routes, type Island } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { takeCredentials } from '../../../kernel/src/credentials/credentials.ts'
import { ensureSshKey } from '../../../kernel/src/credentials/ssh-key.ts'
import { Lab } from '../../../kernel/src/lab.ts'
import { openSession } from '../../../kernel/src/session.ts'
import {
  aSliverReport,
  makeResearcher,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../server/world/testbed.ts'

// The library against the real server, all but its sockets' TLS.
let testbeds: Testbeds
let world: TestbedWorld
let dir: string
let url: string
const labs: Lab[] = []
const openLab = (token: string): Lab => {
  const key = ensureSshKey(dir)
  const lab = new Lab(openSession(takeCredentials({ url, token }), key), key)
  labs.push(lab)
  return lab
}
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  url = await world.app.listen({ host: '127.0.0.1', port: 0 })
  dir = await mkdtemp(join(tmpdir(), 'cl-kernel-'))
  const { operator } = world
  const made = await world.ask(operator, 'POST', routes.islands, { body: { name: 'valley' } })
  const body = { island: { id: made.json<Island>().id }, properties: { place: 'roof' } }
  await world.ask(operator, 'PATCH', path(routes.node, { id: 2 }), { body })
})
afterAll(async () => {
  for (const lab of labs) await lab.close()
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

it('finds nodes by all that a filter can name, together', async () => {
  const lab = openLab(world.red)
  const names = async (filter: Parameters<Lab['nodes']['find']>[0]) =>
    (await lab.nodes.find(filter)).map(({ name }) => name)
  expect(await names({})).toEqual(['n1', 'n2'])
  expect(await names({ island: 'valley' })).toEqual(['n2'])
  expect(await names({ group: 'community-lab', arch: 'x86_64', state: 'production' })).toEqual([
    'n1',
    'n2',
  ])
  expect(await names({ group: 'blue' })).toEqual([])
  expect(await names({ properties: { place: 'roof' }, name: ['n1', 'n2', 'n3'] })).toEqual(['n2'])
  expect(await names({ properties: { place: 'cellar' } })).toEqual([])
  expect(await names({ name: 'n1' })).toEqual(['n1'])
  expect(await names({ name: [] })).toEqual([])
  const many = Array.from({ length: 1_500 }, (_, index) => `n${1_500 - index}`)
  expect(await names({ name: many })).toEqual(['n1', 'n2'])
  expect(await names({ resources: { memoryMiB: 512, cpuPct: 200 } })).toEqual(['n1', 'n2'])
  expect(await names({ resources: { memoryMiB: 513 } })).toEqual([])
})

it('says which islands and groups there are where a filter names none of them', async () => {
  const lab = openLab(world.red)
  await expect(lab.nodes.find({ island: 'vally' })).rejects.toMatchObject({
    code: 'LAB_ARGUMENT_INVALID',
    message: expect.stringContaining('perhaps valley (there are valley)') as string,
  })
  await expect(lab.nodes.find({ group: 'rde' })).rejects.toThrow('perhaps red')
  const wrong = { resources: { memory: 5 } } as object
  await expect(lab.nodes.find(wrong)).rejects.toThrow('memoryMiB, diskMiB, cpuPct, processes')
  await expect(lab.nodes.find({ properties: { Place: 'roof' } })).rejects.toThrow('lower-case')
})

it('lists groups with one’s roles, and the slices of one’s own groups', async () => {
  const spec = { template: 'tiny', nodes: ['n1'] }
  for (const [token, name] of [
    [world.red, 'of-red'],
    [world.blue, 'of-blue'],
  ] as const)
    await world.ask(token, 'PUT', routes.sliceEnsure, { body: { name, ...spec } })
  const lab = openLab(world.red)
  expect((await lab.groups.list()).map(({ name }) => name)).toContain('blue')
  const mine = await lab.groups.mine()
  expect(mine).toMatchObject([{ name: 'red', allowsSlices: true, slices: 1 }])
  expect(mine[0]?.myRoles).toContain('group admin')
  expect(await lab.groups.get('blue')).toMatchObject({ name: 'blue', myRoles: [] })
  await expect(lab.groups.get('green')).rejects.toMatchObject({ code: 'LAB_NOT_FOUND' })
  const slices = await lab.slices.mine()
  expect(slices.map(({ name, slivers }) => [name, slivers.length])).toEqual([['of-red', 1]])
  const token = await makeResearcher(world, world.operator, 'ana')
  expect(await openLab(token).slices.mine()).toEqual([])
})

it('tells what was: the states of nodes, and which slivers ran where', async () => {
  const lab = openLab(world.red)
  await world.ask(world.red, 'PUT', routes.sliceEnsure, {
    body: { name: 'ran', template: 'tiny', nodes: ['n1'] },
  })
  const ran = await lab.slices.get('ran')
  await world.report(1, { slivers: [aSliverReport(`${ran.id}@1`)] })
  await ran.release()
  expect(await lab.slices.journal({ slice: 'ran', node: 'n1' })).toMatchObject([
    { slice: 'ran', group: 'red', node: 'n1', to: expect.any(Date) as Date },
  ])
  expect(await lab.slices.journal({ node: 'n9' })).toEqual([])
  const from = new Date(Date.now() - 3_600_000)
  const past = await lab.nodes.history('n1', { from })
  expect(past[0]?.from).toEqual(from)
  expect(past.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['nodata', 'unknown', 'production']),
  )
  const { share, known_s, seconds } = await lab.nodes.availability('n1', { from })
  expect([share, seconds['production']]).toEqual([expect.any(Number), expect.any(Number)])
  expect(known_s).toBeGreaterThan(0)
  await expect(lab.nodes.history('n9')).rejects.toMatchObject({ code: 'LAB_NOT_FOUND' })
  const wrong = lab.slices.journal({ count: 0 })
  await expect(wrong).rejects.toMatchObject({ code: 'LAB_ARGUMENT_INVALID' })
})

it('shows what an owner lends, and the quotas of a group with what its slices take', async () => {
  const lab = openLab(world.red)
  const lends = { slivers: 3, memory_mib: 512, hours: ['00:00-24:00'] }
  await world.ask(world.operator, 'PATCH', path(routes.node, { id: 2 }), { body: { lends } })
  const [node] = await lab.nodes.find({ name: 'n2' })
  expect(node?.lends).toMatchObject({ slivers: 3, memoryMiB: 512, diskMiB: null })
  const { quotas, usage } = await lab.groups.get('red')
  expect([quotas.slices, usage.slices]).toEqual([50, 1])
})

it('says who may, and whom to ask, where a right is missing', async () => {
  await world.ask(world.red, 'PUT', routes.sliceEnsure, {
    body: { name: 'guarded', template: 'tiny', nodes: ['n2'] },
  })
  const slice = await openLab(world.blue).slices.get('guarded')
  await expect(slice.release()).rejects.toMatchObject({
    code: 'LAB_AUTH_FORBIDDEN',
    message:
      'a token of role researcher may not remove a slice; it needs the token of a group admin or slice admin of group red, or an operator; the group admins of red are red: ask them, or ask to join (community-lab request ask join red)',
  })
  const lab = openLab(world.blue)
  const taken = lab.slices.ensure('mine', { template: 'tiny', nodes: ['n1'], group: 'red' })
  await expect(taken).rejects.toThrow('the group admins of red are red')
  const island = await world.ask(world.blue, 'POST', routes.islands, { body: { name: 'own' } })
  expect(island.json<{ detail: string }>().detail).toContain('; ask an operator of the testbed')
})
