import { path, routes } from '@community-lab/contract'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import {
  readNodeTimes,
  readSliverTimes,
  type StateTime,
} from '../../../../server/src/registry/read/availability.ts'
import {
  readNodeHistory,
  readSliverHistory,
  type HistoryPart,
} from '../../../../server/src/registry/read/history.ts'
import { startTestbeds } from '../world/testbed.ts'

/** Lengths of intervals in seconds, each with a state; null: nothing is recorded. */
const past = (states: readonly (string | null)[]) =>
  fc.array(
    fc.record({ state: fc.constantFrom(...states), lengthS: fc.integer({ min: 0, max: 90 }) }),
    { maxLength: 12 },
  )
type Past = readonly { readonly state: string | null; readonly lengthS: number }[]

/** Places intervals one after the other from an hour ago on. Times have microseconds, as the database's own. */
function place(intervals: Past, startMs: number) {
  let atMs = startMs
  return intervals.flatMap(({ state, lengthS }) => {
    const from = new Date(atMs)
    atMs += lengthS * 1000 + (lengthS % 7)
    return state === null ? [] : [{ state, from, to: new Date(atMs) }]
  })
}

it('adds up what the history of a node or sliver says', async () => {
  await using testbeds = await startTestbeds('embedded')
  await using world = await testbeds.start()
  const body = { name: 'hello', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  const { registry } = world.context
  const { db } = world.database
  const startMs = Date.now() - 3600_000
  const store = async (table: 'node_states' | 'sliver_states', rows: ReturnType<typeof place>) => {
    await db.deleteFrom(table).execute()
    for (const [index, { state, from, to }] of rows.entries()) {
      const ids = table === 'node_states' ? sql`1` : sql`1, 1`
      const columns = table === 'node_states' ? sql`node_id` : sql`slice_id, node_id`
      const end = index === rows.length - 1 ? null : to
      await sql`insert into ${sql.table(table)} (${columns}, state, began_on, ended_on)
        values (${ids}, ${state}, ${from}::timestamptz + interval '3 microseconds', ${end})`.execute(
        db,
      )
    }
  }
  const sumOf = (parts: Iterable<readonly [string, number]>) => {
    const sums = new Map<string, number>()
    for (const [state, ms] of parts)
      if (state !== 'nodata' && ms > 0) sums.set(state, (sums.get(state) ?? 0) + ms)
    return [...sums].sort()
  }
  const ofHistory = ({ intervals }: HistoryPart<string>) =>
    sumOf(intervals.map(({ state, fromMs, toMs }) => [state, toMs - fromMs]))
  const ofTimes = (times: readonly StateTime<string>[]) =>
    sumOf(times.map(({ state, ms }) => [state, ms]))
  const at = { sliceId: 1, nodeId: 1 }
  await fc.assert(
    fc.asyncProperty(
      past(['started', 'deployed', null]),
      past(['production', 'offline', 'crashed', null]),
      past(['up', null]),
      fc.nat(1500),
      fc.nat(1500),
      async (slivers, nodes, runs, fromS, lengthS) => {
        await store('sliver_states', place(slivers, startMs))
        await store('node_states', place(nodes, startMs))
        await db.deleteFrom('server_runs').where('id', '<>', registry.run.id).execute()
        for (const { from, to } of place(runs, startMs))
          await db.insertInto('server_runs').values({ began_on: from, up_until: to }).execute()
        const period = { fromMs: startMs + fromS * 1000, toMs: startMs + (fromS + lengthS) * 1000 }
        const whole = { ...period, limit: 1_000 }
        expect(ofTimes(await readNodeTimes(registry, 1, period))).toEqual(
          ofHistory(await readNodeHistory(registry, 1, whole)),
        )
        expect(ofTimes(await readSliverTimes(registry, at, period))).toEqual(
          ofHistory(await readSliverHistory(registry, at, whole)),
        )
      },
    ),
    { numRuns: 40 },
  )
  // The run of this server has no end yet.
  const now = { fromMs: Date.now(), toMs: Date.now() + 1_000 }
  await store('node_states', place([{ state: 'production', lengthS: 1 }], startMs))
  expect(await readNodeTimes(registry, 1, now)).toEqual([{ state: 'production', ms: 1_000 }])
  const answer = await world.ask(null, 'GET', path(routes.nodeAvailability, { id: 1 }))
  expect(answer.json()).toMatchObject({ availability: 1 })
})
