import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { channels } from '../../../../server/src/postgres/notifications.ts'
import { eventually } from '../../../support/eventually.ts'
import { startTestbeds, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const mebibyte = 1024 * 1024

it('a reader who is behind reads large events a few at a time, and misses none', async () => {
  await using world = await testbeds.start()
  const { feed } = world.context
  const { last } = await feed.range()
  // More than what is in memory. A run on a thousand slivers has events of a third of this.
  const many = 40
  await sql`insert into events (id, kind, action, object_id, object)
    select ${last}::int + n, 'slice', 'updated', '1', jsonb_build_object('text', repeat('x', ${mebibyte}::int))
    from generate_series(1, ${many}::int) as n`.execute(world.database.db)
  await sql`update counters set value = ${last + many} where name = 'event'`.execute(
    world.database.db,
  )
  await sql`select pg_notify(${channels.event}, ${String(last + many)})`.execute(world.database.db)
  const seen: number[] = []
  while (seen.length < many) {
    // While it is being read into memory, there is nothing new for a moment.
    const events = await eventually(async () => {
      const found = await feed.after(last + seen.length)
      expect(found).not.toHaveLength(0)
      return found
    })
    seen.push(...events.map(({ event }) => event.id - last))
    const bytes = events.reduce((sum, each) => sum + each.bytes.length, 0)
    if (seen.length === events.length) expect(bytes).toBeLessThan(10 * mebibyte)
  }
  expect(seen).toEqual(Array.from({ length: many }, (_, index) => index + 1))
})
