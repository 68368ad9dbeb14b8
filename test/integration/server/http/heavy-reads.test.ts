import { once } from 'node:events'
import { request, type IncomingMessage, type ServerResponse } from 'node:http'
import { acceptOf, path, routes } from '@community-lab/contract'
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
async function countWaiting({ database: { db } }: TestbedWorld): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
  return rows[0]?.count ?? 0
}

it('counts what clients asked for who have gone, until its work ends', async () => {
  const { db } = world.database
  const { atOnce } = defaultLimits.heavyReads.anonymous
  await db.transaction().execute(async (tx) => {
    await sql`lock table nodes in access exclusive mode`.execute(tx)
    for (let asked = 0; asked < 6; asked++) {
      const arrived = once(world.app.server, 'request')
      const one = request(`${origin}${routes.nodes}`, { headers: { accept: acceptOf() } })
      one.on('error', () => undefined)
      one.end()
      const [, answer] = (await arrived) as [IncomingMessage, ServerResponse]
      const working = Math.min(asked + 1, atOnce)
      await eventually(async () => expect(await countWaiting(world)).toBe(working))
      const left = once(answer, 'close')
      one.destroy()
      await left
    }
    expect(await countWaiting(world)).toBe(atOnce)
  })
  // Their turns have ended with their work.
  const lists = Array.from({ length: 5 }, () => world.ask(null, 'GET', routes.nodes))
  expect((await Promise.all(lists)).map(({ statusCode }) => statusCode)).toEqual(Array(5).fill(200))
  // Nothing has failed: strangers could fill the log by going.
  expect(world.log.join('')).not.toContain('request failed')
})

it('leaves nodes and researchers their answers, however much strangers ask for', async () => {
  await using world = await testbeds.start()
  const { db } = world.database
  const { atOnce, waiting } = defaultLimits.heavyReads.anonymous
  const statuses: number[] = []
  const flood: Promise<unknown>[] = []
  // What strangers ask for takes until the lock ends.
  await db.transaction().execute(async (tx) => {
    await sql`lock table journal in access exclusive mode`.execute(tx)
    for (let address = 1; address <= 20; address++)
      for (let asked = 0; asked < 30; asked++) {
        const answer = world.app.inject({
          url: routes.journal,
          remoteAddress: `192.0.2.${address}`,
          headers: { accept: acceptOf() },
        })
        flood.push(answer.then(({ statusCode }) => statuses.push(statusCode)))
      }
    // Those for whom there is no room to wait are refused.
    await eventually(() => expect(statuses).toEqual(Array(20 * 30 - atOnce - waiting).fill(503)))
    await eventually(async () => expect(await countWaiting(world)).toBe(atOnce))
    const body = { name: 'flooded', template: 'tiny', nodes: ['n1', 'n2'] }
    const made = await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    expect(made.statusCode).toBe(201)
    for (const [index, node] of world.nodes.entries()) {
      const polled = await world.ask(node, 'GET', path(routes.nodeTarget, { id: index + 1 }))
      expect([polled.statusCode, polled.body.includes('flooded')]).toEqual([200, true])
      await world.report(index + 1)
    }
    for (const list of [routes.nodes, routes.slivers])
      expect((await world.ask(world.red, 'GET', list)).statusCode).toBe(200)
    expect(statuses).toHaveLength(20 * 30 - atOnce - waiting)
  })
  await Promise.all(flood)
  expect(statuses.filter((status) => status === 200)).toHaveLength(atOnce + waiting)
})
