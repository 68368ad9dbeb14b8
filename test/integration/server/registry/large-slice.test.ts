import { path, routes, type SliceWithSlivers } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { removeExpiredSlices } from '../../../../server/src/registry/write/slice-ends.ts'
import { startTestbeds, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

it('a slice of ten thousand slivers is made, changed and ended, each at once', async () => {
  await using world = await testbeds.start()
  const count = 10_000
  await sql`
    insert into nodes (id, name, description, group_id, arch, properties, set_state, state, report)
    select 100 + i, 'm' || i, '', group_id, arch, properties, set_state, state, report
    from nodes, generate_series(1, ${count}) as i where name = 'n1'`.execute(world.database.db)
  const quotas = { slivers: count, memory_mib: count * 100, disk_mib: count * 128 }
  const raised = await world.ask(world.operator, 'PATCH', path(routes.group, { id: 2 }), {
    body: { quotas },
  })
  expect(raised.json()).toMatchObject({ quotas: { slices: 50, ...quotas } })
  const nodes = Array.from({ length: count }, (_, index) => `m${index + 1}`)
  const ensure = async (changes: object) => {
    const body = { name: 'large', template: 'tiny', nodes, ...changes }
    const answer = await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const { slivers } = answer.json<SliceWithSlivers>()
    return [answer.statusCode, slivers.length, slivers.at(-1)?.instance_sn]
  }
  const { last: before } = await world.context.feed.range()
  expect(await ensure({})).toEqual([201, count, 0])
  const resources = [{ name: 'memory', req: 100 }]
  expect(await ensure({ resources, may_lose: 'slivers' })).toEqual([200, count, 1])
  await sql`update slices set expires_on = now() - interval '1 s'`.execute(world.database.db)
  expect(await removeExpiredSlices(world.context.registry)).toBe(1)
  // The slice, its slivers, their nodes and its group, three times.
  expect((await world.context.feed.range()).last - before).toBe(3 * (2 * count + 2))
})
