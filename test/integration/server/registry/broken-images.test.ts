import {
  LabError,
  routes,
  type SliceWithSlivers,
  type SliverReport,
  type Template,
} from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeFault } from '../../../../agent/src/executor/fault.ts'
import { readFacts } from '../../../../server/src/registry/read/facts.ts'
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

async function ensure(world: TestbedWorld, name: string, nodes: readonly string[]) {
  const body = { name, template: 'tiny', nodes }
  return world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
}

/** What an agent says when tar cannot unpack an image, or when the image was damaged on its way. */
const broken = describeFault(
  'allocate',
  new LabError('LAB_TEMPLATE_BROKEN', { template: 'tiny', reason: 'tar: Unexpected EOF' }),
)
const damaged = describeFault(
  'allocate',
  new LabError('LAB_TEMPLATE_CHECKSUM', { template: 'tiny', expected: 'a', found: 'b' }),
)

async function report(
  world: TestbedWorld,
  nodeId: number,
  change: Partial<SliverReport>,
): Promise<void> {
  const slivers = (await world.ask(null, 'GET', routes.slivers)).json<SliceWithSlivers['slivers']>()
  const sn = slivers.find(({ id }) => id === `1@${nodeId}`)?.instance_sn ?? 0
  await world.report(nodeId, {
    slivers: [aSliverReport(`1@${nodeId}`, { instance_sn: sn, ...change })],
  })
}

/** Give a node to another group than the one that has it. */
async function giveToOtherGroup(world: TestbedWorld, nodeId: number): Promise<void> {
  const { db } = world.database
  await db
    .updateTable('nodes')
    .set((eb) => ({
      group_id: eb
        .selectFrom('groups')
        .select('groups.id')
        .whereRef('groups.id', '<>', 'nodes.group_id')
        .orderBy('groups.id')
        .limit(1)
        .$asScalar()
        .$notNull(),
    }))
    .where('id', '=', nodeId)
    .execute()
}

const readVersion = async (world: TestbedWorld) =>
  (await world.ask(null, 'GET', '/api/templates/1/')).json<Template>().versions?.[0]?.broken

it('an image that two nodes could not unpack is sent to no other, and its admins are told', async () => {
  await using world = await testbeds.start()
  await ensure(world, 'first', ['n1', 'n2'])
  const fails: Partial<SliverReport> = { state: 'fail_allocate', errors: [broken] }
  await report(world, 1, { state: 'fail_allocate', errors: [damaged] })
  expect(await readVersion(world)).toBe(null)
  await report(world, 1, fails)
  expect(await readVersion(world)).toMatchObject({ nodes: 1 })
  // One node may have a fault of its own, so another one tries it.
  expect((await ensure(world, 'second', ['n2'])).statusCode).toBe(201)
  await report(world, 2, fails)
  // Two nodes of one group are one voice: the version is everybody's.
  expect(await readVersion(world)).toMatchObject({ nodes: 1 })
  expect((await ensure(world, 'alike', ['n1'])).statusCode).toBe(201)
  await giveToOtherGroup(world, 2)
  expect(await readVersion(world)).toMatchObject({
    nodes: 2,
    message: expect.stringContaining('tar: Unexpected EOF') as unknown,
  })
  expect((await ensure(world, 'third', ['n1'])).json()).toMatchObject({
    code: 'LAB_TEMPLATE_UNUSABLE',
    details: { template: 'tiny@1', nodes: 2 },
  })
  // Who uploads it again vouches for it.
  const headers = { 'content-type': 'application/gzip' }
  await world.ask(world.operator, 'PUT', '/api/templates/1/ctl/upload-image/', {
    body: image,
    headers,
  })
  expect(await readVersion(world)).toBe(null)
  for (const nodeId of [1, 2]) {
    await report(world, nodeId, { state: 'registered', errors: [] })
    await report(world, nodeId, fails)
  }
  expect(await readVersion(world)).toMatchObject({ nodes: 2 })
  // Who has it keeps it.
  expect((await ensure(world, 'first', ['n1', 'n2'])).statusCode).toBe(200)
  await world.database.db
    .updateTable('users')
    .set({ email: 'o@example.org' })
    .where('is_superuser', '=', true)
    .execute()
  const told = (await readFacts(world.database.db, new Date())).filter(
    ({ kind }) => kind === 'image_broken',
  )
  expect(told).toMatchObject([
    { text: expect.stringContaining('the image tiny@1 cannot be unpacked by 2 nodes') as unknown },
  ])

  // A sliver that starts after all shows that it works.
  await report(world, 1, { state: 'started', errors: [] })
  expect(await readVersion(world)).toBe(null)
  expect((await ensure(world, 'third', ['n1'])).statusCode).toBe(201)
  await report(world, 2, fails)
  expect(await readVersion(world)).toBe(null)
})
