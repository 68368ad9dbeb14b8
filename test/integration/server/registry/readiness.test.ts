import {
  faultyImage,
  path,
  routes,
  sliverId,
  type Node,
  type NodeTarget,
  type SliceWithSlivers,
  type SliverState,
  type Template,
} from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { probeSliceId } from '../../../../server/src/domain/probe.ts'
import {
  aSliverReport,
  image,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const n1 = path(routes.node, { id: 1 })

async function ensure(world: TestbedWorld, name: string, nodes = ['n1']) {
  const body = { name, template: 'tiny', nodes }
  return world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
}

/** A world in which the slivers of three slices on n1 have failed. */
async function startFailing(): Promise<TestbedWorld> {
  const world = await testbeds.start()
  for (const name of ['a', 'b', 'c']) await ensure(world, name)
  await report(world, ['fail_deploy', 'fail_deploy', 'fail_deploy'])
  return world
}

/** The node reports its slivers, those of the slices 1, 2, 3. */
async function report(
  world: TestbedWorld,
  states: readonly SliverState[],
  member = '/template',
): Promise<void> {
  const errors = [{ member, message: 'the disk is broken' }]
  const slivers = states.map((state, at) => aSliverReport(`${at + 1}@1`, { state, errors }))
  await world.report(1, { slivers })
}

async function notReady(world: TestbedWorld): Promise<Node['not_ready']> {
  return (await world.ask(null, 'GET', n1)).json<Node>().not_ready
}

it('a node that fails three slices in a row is not ready, and says why; a sliver that starts brings it back', async () => {
  await using world = await testbeds.start()
  for (const name of ['a', 'b', 'c']) await ensure(world, name)
  await report(world, ['fail_deploy', 'fail_deploy'])
  expect(await notReady(world)).toBeNull()
  const { last } = await world.context.feed.range()
  await report(world, ['fail_deploy', 'fail_deploy', 'fail_start'])
  expect((await notReady(world))?.reason).toMatch(
    /^the slivers of 3 slices in a row failed on it: a \(fail_deploy: .*disk is broken\); b .*; c \(fail_start/u,
  )
  expect((await world.context.feed.range()).last).toBe(last + 2)
  await report(world, ['fail_deploy', 'started', 'fail_start'])
  expect(await notReady(world)).toBeNull()
})

it('a group makes no node unready for others by slices with a template or data of its own', async () => {
  await using world = await testbeds.start()
  for (const name of ['a', 'b', 'c']) await ensure(world, name)
  const { db } = world.database
  await db.updateTable('template_versions').set({ is_public: false }).execute()
  await report(world, ['fail_start', 'fail_start', 'fail_start'])
  expect(await notReady(world)).toBeNull()
  await db.updateTable('template_versions').set({ is_public: true }).execute()
  await db
    .updateTable('slices')
    .set({ default_data_sha256: 'a'.repeat(64) })
    .execute()
  await report(world, ['fail_deploy', 'fail_deploy', 'fail_deploy'])
  expect(await notReady(world)).toBeNull()
  await db.updateTable('slices').set({ default_data_sha256: null }).execute()
  await report(world, ['fail_start', 'fail_start', 'fail_start'])
  expect(await notReady(world)).not.toBeNull()
})

it('an image that is damaged or cannot be unpacked makes no node unready, because it fails on all of them', async () => {
  await using world = await testbeds.start()
  for (const name of ['a', 'b', 'c']) await ensure(world, name)
  await report(world, ['fail_deploy', 'fail_deploy', 'fail_deploy'], faultyImage)
  expect(await notReady(world)).toBeNull()
})

it('a slice on a node that is not ready is admitted with a warning, and others are suggested instead of it', async () => {
  await using world = await startFailing()
  const made = await ensure(world, 'd')
  expect([made.statusCode, made.json<SliceWithSlivers>().warnings]).toEqual([
    201,
    [expect.stringMatching(/^node n1 may fail: not ready since .*3 slices in a row/u)],
  ])
  // What is there already is not warned of again, and stays when a list leaves the node out.
  expect((await ensure(world, 'd')).json<SliceWithSlivers>().warnings).toBeUndefined()
  const moved = await ensure(world, 'd', ['n2'])
  expect(moved.json<SliceWithSlivers>().slivers.map(({ id }) => id)).toEqual(['4@1', '4@2'])
  const body = {
    name: 'e',
    template: 'tiny',
    nodes: ['n2'],
    resources: [{ name: 'memory', req: 4096 }],
  }
  const refused = await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  expect(refused.json()).toMatchObject({ details: { otherNodes: [] } })
})

it('who puts the node into production again makes it ready', async () => {
  await using world = await startFailing()
  expect(await notReady(world)).not.toBeNull()
  for (const set_state of ['safe', 'production'])
    await world.ask(world.operator, 'PATCH', n1, { body: { set_state } })
  expect(await notReady(world)).toBeNull()
})

/** What is wanted of n1: the templates of the probes among its slivers. */
async function probes(world: TestbedWorld) {
  const url = path(routes.nodeTarget, { id: 1 })
  const { slivers } = (await world.ask(world.nodes[0] ?? '', 'GET', url)).json<NodeTarget>()
  return slivers
    .filter(({ id, set_state: wanted }) => id === probe && wanted === 'start')
    .map(({ template }) => template?.name)
}

/** The id of n1's probe. */
const probe = sliverId(probeSliceId, 1)

it('a node that is not ready makes a probe of its own until one starts, also when no failed sliver is left', async () => {
  await using world = await startFailing()
  expect(await probes(world)).toEqual(['tiny'])
  for (const id of [1, 2, 3]) await world.ask(world.red, 'DELETE', path(routes.slice, { id }))
  await report(world, [])
  expect((await notReady(world))?.reason).toMatch(/ a .*; b .*; c /u)
  for (const state of ['allocated', 'fail_start'] as const) {
    await world.report(1, { slivers: [aSliverReport(probe, { state })] })
    expect([await probes(world), await notReady(world)]).toEqual([['tiny'], expect.any(Object)])
  }
  const { last } = await world.context.feed.range()
  await world.report(1, { slivers: [aSliverReport(probe)] })
  expect([await probes(world), await notReady(world)]).toEqual([[], null])
  expect((await world.context.feed.range()).last).toBe(last + 1)
  // It is no sliver of anybody.
  expect((await world.ask(null, 'GET', routes.slivers)).json()).toEqual([])
  expect((await world.ask(null, 'GET', routes.journal)).json()).toEqual([])
})

it('a probe decides when slices of one group with a template of its own failed: the node is not ready if that fails, too', async () => {
  await using world = await testbeds.start()
  const { db } = world.database
  const own = { name: 'own', node_archs: ['x86_64'] }
  const { id } = (
    await world.ask(world.operator, 'POST', routes.templates, { body: own })
  ).json<Template>()
  const upload = path(routes.templateUploadImage, { id })
  const headers = { 'content-type': 'application/gzip' }
  await world.ask(world.operator, 'PUT', upload, { body: image, headers })
  for (const name of ['a', 'b', 'c']) {
    const body = { name, template: 'own', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  }
  await db
    .updateTable('template_versions')
    .set({ is_public: false })
    .where('template_id', '=', id)
    .execute()
  await report(world, ['fail_start', 'fail_start', 'fail_start'])
  expect([await probes(world), await notReady(world)]).toEqual([['tiny'], null])
  const states = ['fail_start', 'fail_start', 'fail_start'] as const
  const failed = states.map((state, at) => aSliverReport(`${at + 1}@1`, { state }))
  const tell = (state: SliverState, member: string) => {
    const errors = [{ member, message: 'no' }]
    return world.report(1, { slivers: [...failed, aSliverReport(probe, { state, errors })] })
  }
  // A node without room for it says nothing about itself.
  await tell('fail_allocate', '/resources')
  expect(await notReady(world)).toBeNull()
  await tell('fail_allocate', '/template')
  expect((await notReady(world))?.reason).toMatch(/ a .*; b .*; c /u)
  await tell('started', '')
  expect([await probes(world), await notReady(world)]).toEqual([[], null])
})
