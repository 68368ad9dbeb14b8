import { path, routes, type Group, type QuotasPatch } from '@community-lab/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const red = path(routes.group, { id: 2 })

async function setQuotas(world: TestbedWorld, quotas: QuotasPatch, token = world.operator) {
  return world.ask(token, 'PATCH', red, { body: { quotas } })
}

async function ensure(world: TestbedWorld, name: string, changes: object = {}) {
  const body = { name, template: 'tiny', nodes: ['n1', 'n2'], ...changes }
  return world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
}

async function readRed(world: TestbedWorld): Promise<Group> {
  return (await world.ask(null, 'GET', red)).json()
}

it('a group shows its quotas and what its slices take of them', async () => {
  await using world = await testbeds.start()
  const defaults = { slices: 50, slivers: 1000, memory_mib: 131_072, disk_mib: 262_144 }
  expect(await readRed(world)).toMatchObject({
    quotas: defaults,
    usage: { slices: 0, slivers: 0, memory_mib: 0, disk_mib: 0 },
  })
  await ensure(world, 'a', { resources: [{ name: 'memory', req: 100 }] })
  await world.ask(world.red, 'POST', routes.slices, { body: { name: 'empty' } })
  const usage = { slices: 2, slivers: 2, memory_mib: 200, disk_mib: 256 }
  expect(await readRed(world)).toMatchObject({ usage })
  expect((await setQuotas(world, { slivers: 7 })).json()).toMatchObject({
    quotas: { ...defaults, slivers: 7 },
    usage,
  })
  expect((await setQuotas(world, { slivers: null })).json()).toMatchObject({ quotas: defaults })
})

it('what would exceed a quota is refused before anything is reserved, with what is used by which slices', async () => {
  await using world = await testbeds.start()
  await setQuotas(world, { slices: 3, slivers: 5, memory_mib: 400 })
  await ensure(world, 'a')
  await ensure(world, 'b', { nodes: ['n1'] })
  const before = await readRed(world)
  const greedy = await ensure(world, 'c', { resources: [{ name: 'memory', req: 200 }] })
  expect([greedy.statusCode, greedy.json()]).toMatchObject([
    409,
    {
      code: 'LAB_GROUP_QUOTA',
      details: {
        group: 'red',
        quota: 'memory_mib',
        limit: 400,
        used: 192,
        asked: 400,
        slices: [
          { slice: 'a', used: 128 },
          { slice: 'b', used: 64 },
        ],
      },
    },
  ])
  expect(greedy.json<{ detail: string }>().detail).toMatch(
    /may have 400 MiB of memory and has 192 \(128 by slice a, 64 by slice b\).*ask for 208 more at most.*set-quota red --memory 592MiB/u,
  )
  expect(await readRed(world)).toEqual(before)
  await setQuotas(world, { slivers: 3 })
  // The amount that the refusal names fits. A sliver that is added alone, and a slice that grows, count as well.
  const body = { slice: { id: 2 }, node: { id: 2 } }
  const added = await world.ask(world.red, 'POST', routes.slivers, { body })
  expect(added.json()).toMatchObject({ code: 'LAB_GROUP_QUOTA', details: { quota: 'slivers' } })
  expect((await ensure(world, 'b')).json()).toMatchObject({ details: { slice: 'b', asked: 1 } })
  await setQuotas(world, { slivers: null, slices: 2 })
  const empty = await world.ask(world.red, 'POST', routes.slices, { body: { name: 'empty' } })
  expect(empty.json()).toMatchObject({ code: 'LAB_GROUP_QUOTA', details: { quota: 'slices' } })
})

it('a quota below what a group has takes nothing away, and only keeps it from growing', async () => {
  await using world = await testbeds.start()
  await ensure(world, 'a')
  await setQuotas(world, { slices: 0, slivers: 0, memory_mib: 0, disk_mib: 0 })
  expect((await ensure(world, 'a', { description: 'changed' })).statusCode).toBe(200)
  const smaller = { nodes: ['n1'], may_lose: 'slivers' }
  expect((await ensure(world, 'a', smaller)).statusCode).toBe(200)
  const more = (await ensure(world, 'a')).json<{ code: string; detail: string }>()
  expect(more.code).toBe('LAB_GROUP_QUOTA')
  // Nothing is left, so a smaller amount is no way out.
  expect(more.detail).toMatch(/too many; release slices that are not needed any more, or have/u)
})

it('two requests at once never take the last place of a quota together', async () => {
  await using world = await testbeds.start()
  await setQuotas(world, { slices: 3 })
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const answers = await Promise.all(
    names.map((name, index) =>
      index % 2 === 0
        ? ensure(world, name)
        : world.ask(world.red, 'POST', routes.slices, { body: { name } }),
    ),
  )
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 201, 201, 409, 409, 409])
  expect(await readRed(world)).toMatchObject({ usage: { slices: 3 } })
})
