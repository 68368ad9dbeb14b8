import {
  lendsAll,
  path,
  routes,
  resourceDefaults,
  type Group,
  type LendsPatch,
  type Node,
  type NodeTarget,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeToken, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const n1 = path(routes.node, { id: 1 })

async function lend(world: TestbedWorld, lends: LendsPatch, token = world.operator) {
  return world.ask(token, 'PATCH', n1, { body: { lends } })
}

async function ensure(world: TestbedWorld, name: string, changes: object = {}) {
  const body = { name, template: 'tiny', nodes: ['n1'], ...changes }
  return world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
}

const memoryOf = (node: Node) => node.resources.find(({ name }) => name === 'memory')

it('a node lends what its owner sets: it shows that, its agent is told, and no more is promised', async () => {
  await using world = await testbeds.start()
  const changed = await lend(world, { memory_mib: 200, hours: ['mon-fri 22:00-06:00'] })
  expect(changed.json()).toMatchObject({
    lends: { ...lendsAll, memory_mib: 200, hours: ['mon-fri 22:00-06:00'] },
    lending: null,
  })
  expect(memoryOf(changed.json())).toMatchObject({ total: 200, max_req: 200, avail: 200 })
  const target = await world.ask(world.nodes[0] ?? null, 'GET', path(routes.nodeTarget, { id: 1 }))
  expect(target.json<NodeTarget>().node.lends).toMatchObject({ memory_mib: 200 })
  expect((await ensure(world, 'a', { resources: [{ name: 'memory', req: 150 }] })).statusCode).toBe(
    201,
  )
  expect((await ensure(world, 'b')).json()).toMatchObject({
    code: 'LAB_SLICE_NO_CAPACITY',
    details: { resource: 'memory', fits: 50, otherNodes: ['n2'] },
  })
  // Nodes with room are those whose owners lend it.
  const roomy = async (query: string) => {
    const found = await world.ask(null, 'GET', `${routes.nodes}?room=${query}`)
    return found.json<Node[]>().map(({ name }) => name)
  }
  expect(await roomy('{"memory":50}')).toEqual(['n1', 'n2'])
  expect(await roomy('{"memory":51}')).toEqual(['n2'])
  await lend(world, { slivers: 1 })
  expect(await roomy('{}')).toEqual(['n2'])
  // What runs stays when the owner lends less, and a limit is removed by null.
  const less = (await lend(world, { memory_mib: 100 })).json<Node>()
  expect([memoryOf(less)?.avail, less.slivers.length]).toEqual([0, 1])
  expect(memoryOf((await lend(world, { memory_mib: null })).json())).toMatchObject({ total: 1024 })
})

it('the device’s own settings hold besides, and are shown', async () => {
  await using world = await testbeds.start()
  const lending = {
    device: { ...lendsAll, slivers: 1 },
    time_zone: 'Europe/Madrid',
    is_open: false,
    opens: 'mon 22:00',
  }
  await world.report(1, { lending })
  expect((await lend(world, { slivers: 5 })).json()).toMatchObject({
    lends: { slivers: 5 },
    lending,
  })
  expect((await ensure(world, 'a')).statusCode).toBe(201)
  expect((await ensure(world, 'b')).json()).toMatchObject({
    code: 'LAB_SLICE_NO_CAPACITY',
    detail: expect.stringContaining('node n1 cannot give 1 more slivers (') as string,
    details: { resource: 'slivers', fits: 0, otherNodes: ['n2'] },
  })
})

it('two slices at once never take the last place on a node together, nor one that is taken away meanwhile', async () => {
  await using world = await testbeds.start()
  await lend(world, { slivers: 1 })
  const both = await Promise.all([ensure(world, 'a'), ensure(world, 'b')])
  expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409])
})

it('only those who look after the node set it, and nothing that is no limit', async () => {
  await using world = await testbeds.start()
  const stranger = await makeToken(world, world.operator, { name: 'x', user: 'red' })
  expect((await lend(world, { slivers: 0 }, stranger)).statusCode).toBe(403)
  for (const wrong of [
    { slivers: 126 },
    { memory_mib: -1 },
    { memory: 5 },
    { rate_mbps: 0.1 },
    { hours: ['at night'] },
    { hours: ['06:00-06:00'] },
    { interfaces: ['wifi'] },
  ])
    expect([
      wrong,
      (await world.ask(world.operator, 'PATCH', n1, { body: { lends: wrong } })).statusCode,
    ]).toEqual([wrong, 400])
})

it('a sliver of before a resource was promised has the default amount of it, for its node, its group and nodes with room alike', async () => {
  await using world = await testbeds.start()
  await ensure(world, 'old', { resources: [{ name: 'memory', req: 100 }] })
  const { db } = world.database
  await sql`update slivers set resources = '[{"name":"disk","req":300}]'`.execute(db)
  const node = (await world.ask(null, 'GET', n1)).json<Node>()
  expect(memoryOf(node)).toMatchObject({ avail: 1024 - resourceDefaults.memory })
  const group = await world.ask(world.operator, 'GET', path(routes.group, { id: 2 }))
  expect(group.json<Group>().usage).toEqual({
    slices: 1,
    slivers: 1,
    memory_mib: resourceDefaults.memory,
    disk_mib: 300,
  })
  await world.ask(world.red, 'POST', routes.slices, { body: { name: 'empty' } })
  const both = await world.ask(world.operator, 'GET', path(routes.group, { id: 2 }))
  expect(both.json<Group>().usage).toMatchObject({ slices: 2, memory_mib: resourceDefaults.memory })
  await world.ask(world.operator, 'PATCH', n1, { body: { lends: { memory_mib: 512 } } })
  const roomy = async (memory: number) => {
    const url = `${routes.nodes}?room={"memory":${memory}}`
    return (await world.ask(null, 'GET', url)).json<Node[]>().map(({ name }) => name)
  }
  const left = 512 - resourceDefaults.memory
  expect([await roomy(left), await roomy(left + 1)]).toEqual([['n1', 'n2'], ['n2']])
})
