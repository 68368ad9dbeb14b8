import { Kysely, PostgresDialect, sql, type CompiledQuery } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { both, splitFilters } from '../../../../server/src/postgres/filter.ts'
import type { Tables } from '../../../../server/src/postgres/tables.ts'
import { readNodeHistory } from '../../../../server/src/registry/read/history.ts'
import { listJournal } from '../../../../server/src/registry/read/journal.ts'
import type { RegistryStore } from '../../../../server/src/registry/store.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
let pool: pg.Pool
let store: RegistryStore
const queries: CompiledQuery[] = []
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  pool = new pg.Pool({ connectionString: world.databaseUrl })
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    log: (event) => void queries.push(event.query),
  })
  store = { ...world.context.registry, db }
  await addPast()
})
afterAll(async () => {
  await pool.end()
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

/** Add a hundred nodes with two hundred states each, and twenty thousand lives of slivers, a thousand of them each day. */
async function addPast(): Promise<void> {
  await pool.query(`insert into nodes (id, name, description, group_id, arch, properties, set_state, state)
    select 100 + nr, 'm' || nr, '', 1, 'x86_64', '{}', 'safe', 'unknown' from generate_series(1, 100) nr`)
  await pool.query(`insert into node_states (node_id, state, began_on, ended_on)
    select 100 + node, 'safe', now() - (nr + 1) * interval '1 hour', now() - nr * interval '1 hour'
    from generate_series(1, 100) node, generate_series(200, 1, -1) nr`)
  await pool.query(`insert into journal (slice_id, slice_name, group_id, group_name, node_id, node_name,
      began_on, ended_on)
    select nr % 2000, 's' || nr % 2000, nr % 500, 'g' || nr % 500, nr % 1000, 'm' || nr % 1000,
      now() - nr * interval '90 s', now() - nr * interval '90 s' + interval '60 s'
    from generate_series(20000, 1, -1) nr`)
  await pool.query('analyze')
}

/** Read, and return the plans of the queries that this makes. */
async function plansOf(read: () => Promise<unknown>): Promise<readonly string[]> {
  queries.length = 0
  await read()
  const asked = [...queries]
  return Promise.all(
    asked.map(async ({ sql: text, parameters }) => {
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${text}`, [
        ...parameters,
      ])
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    }),
  )
}

const hourMs = 3_600_000

describe('a page of the journal', () => {
  it.each([
    ['/slice_name', 's7'],
    ['/slice/id', 7],
    ['/node_name', 'm7'],
    ['/node/id', 7],
    ['/group_name', 'g7'],
    ['/group/id', 7],
    ['/to', null],
    ['/slice_name', 'nobody'],
  ])('by %s %s takes one query, and does not read the whole journal', async (pointer, value) => {
    const source = listJournal(store, null)
    const path = pointer.slice(1).split('/')
    const { where, rest } = splitFilters([{ path, anyOf: [value] }], source.columns)
    expect(rest).toEqual([])
    const plans = await plansOf(() => source.read({ where, limit: 101 }))
    expect(plans).toHaveLength(1)
    expect(plans[0]).not.toContain('Seq Scan on journal')
  })

  it('of an hour long ago reads the lives of that hour', async () => {
    const toMs = Date.now() - 300 * hourMs
    const source = listJournal(store, { fromMs: toMs - hourMs, toMs })
    const read = () => source.read({ where: sql<boolean>`true`, limit: 101 })
    // One begins every 90 s.
    expect([40, 41]).toContain((await read()).length)
    expect((await plansOf(read)).join()).toContain('journal_period')
  })

  it('goes on after an id without reading what comes before', async () => {
    const source = listJournal(store, null)
    const where = both(sql<boolean>`true`, source.endless?.after(10_000) ?? sql<boolean>`false`)
    const plans = await plansOf(() => source.read({ where, limit: 101 }))
    expect(plans.join()).toContain('Index Scan Backward using journal_pkey')
  })
})

it('the history of a node reads from where its period begins', async () => {
  const period = { fromMs: Date.now() - 5 * hourMs, toMs: Date.now(), limit: 100 }
  const plans = await plansOf(() => readNodeHistory(store, 107, period))
  const own = plans.filter((plan) => plan.includes('node_states'))
  expect(own).toHaveLength(1)
  expect(own[0]).toMatch(/Index Cond: \(\(node_id = 107\) AND \(COALESCE\(ended_on/u)
})
