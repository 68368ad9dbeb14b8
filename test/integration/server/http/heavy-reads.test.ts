import { once } from 'node:events'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { acceptOf, routes } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { defaultLimits } from '../../../../server/src/http/limits.ts'
import { eventually } from '../../../support/eventually.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
let origin: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

/** Count the queries that wait for a lock. */
async function countWaiting(): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(world.database.db)
  return rows[0]?.count ?? 0
}

it('counts what clients asked for who have gone, until its work ends', async () => {
  const { db } = world.database
  const { atOnce } = defaultLimits.heavyReads.anonymous
  await db.transaction().execute(async (tx) => {
    await sql`lock table nodes in access exclusive mode`.execute(tx)
    for (let asked = 0; asked < 6; asked++) {
      const one = request(`${origin}${routes.nodes}`, { headers: { accept: acceptOf() } })
      one.on('error', () => undefined)
      one.end()
      await once(one, 'finish')
      if (asked < atOnce) await eventually(async () => expect(await countWaiting()).toBe(asked + 1))
      else await delay(100)
      one.destroy()
      await delay(50)
    }
    expect(await countWaiting()).toBe(atOnce)
  })
  // Their turns have ended with their work.
  const lists = Array.from({ length: 5 }, () => world.ask(null, 'GET', routes.nodes))
  expect((await Promise.all(lists)).map(({ statusCode }) => statusCode)).toEqual(Array(5).fill(200))
})
