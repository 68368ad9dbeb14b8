import {
  maxEndedRuns,
  maxRunBytes,
  path,
  routes,
  type Run,
  type RunReport,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function startWithSlice(): Promise<TestbedWorld> {
  const world = await testbeds.start()
  const body = { name: 'mine', template: 'tiny', nodes: ['n1', 'n2'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  return world
}

const start = (world: TestbedWorld, name: string, script = 'true') =>
  world.ask(world.red, 'POST', path(routes.sliceRuns, { id: 1 }), {
    body: { name, programs: [{ on: [1, 2], script }] },
  })

async function read(world: TestbedWorld, { uri }: Run): Promise<Run> {
  return (await world.ask(world.red, 'GET', uri)).json<Run>()
}

const ended = ({ id }: Run, nodeId: number): RunReport => ({
  ...{ id, sliver: `1@${nodeId}`, state: 'ended', reason: 'exited', exit_code: 0, signal: null },
  ...{ started_on: null, ended_on: null, message: null },
  ...{ output_bytes: 0, lost_bytes: 0, has_end_row: false },
})

/** Hold changes up where they write their events, until as many wait as are made at once. Each begins when the one before it waits. */
async function atOnce(
  { database: { db } }: TestbedWorld,
  changes: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const begun: Promise<unknown>[] = []
  await db.transaction().execute(async (tx) => {
    await sql`select from counters where name = 'event' for update`.execute(tx)
    for (const change of changes) {
      begun.push(change())
      await eventually(async () => {
        const { rows } = await sql<{ waiting: number }>`
          select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
        expect(rows[0]?.waiting).toBe(begun.length)
      })
    }
  })
  await Promise.all(begun)
}

it('a run that is started while one of its nodes is removed ends there', async () => {
  await using world = await startWithSlice()
  await atOnce(world, [
    () => start(world, 'late'),
    () => world.ask(world.operator, 'DELETE', path(routes.node, { id: 2 })),
  ])
  const [run] = (await world.ask(world.red, 'GET', routes.runs)).json<Run[]>()
  expect(run?.parts[1]).toMatchObject({ state: 'ended', reason: 'removed' })
})

it('a run that was ended by the removal of a sliver stays so when its node reports it meanwhile', async () => {
  await using world = await startWithSlice()
  const run = (await start(world, 'gone')).json<Run>()
  await atOnce(world, [
    () => world.ask(world.red, 'DELETE', path(routes.sliver, { id: '1@2' })),
    () => world.report(2, { runs: [{ ...ended(run, 2), state: 'running', reason: null }] }),
  ])
  expect((await read(world, run)).parts[1]).toMatchObject({ state: 'ended', reason: 'removed' })
})

it('the oldest ended run goes with an event, so that a reader of events has what the list shows', async () => {
  await using world = await startWithSlice()
  const { db } = world.database
  await sql`insert into runs (id, slice_id, name, programs, ended_on)
    select 'old-' || n, 1, 'old-' || n, '[]', now() - n * interval '1 minute'
    from generate_series(1, ${maxEndedRuns}::int) as n`.execute(db)
  await start(world, 'new')
  const { rows } = await sql`select object_id, owner from events
    where kind = 'run' and action = 'deleted'`.execute(db)
  const { id: groupId } = await db
    .selectFrom('groups')
    .select('id')
    .where('name', '=', 'red')
    .executeTakeFirstOrThrow()
  expect(rows).toEqual([{ object_id: `old-${maxEndedRuns}`, owner: { groupId, userId: null } }])
})

it('an event of a run with many parts is without them until it has ended, so that a thousand ends are not a million parts', async () => {
  await using world = await startWithSlice()
  const { db } = world.database
  const run = (await start(world, 'large')).json<Run>()
  await sql`insert into run_parts select (jsonb_populate_record(part,
    jsonb_build_object('node_id', n, 'state', 'ended'))).*
    from run_parts as part, generate_series(1001, 1060) as n where node_id = 1`.execute(db)
  await world.report(1, { runs: [ended(run, 1)] })
  await world.report(2, { runs: [ended(run, 2)] })
  const { rows } = await sql<{
    object: Omit<Run, 'parts'> & Partial<Run>
    owner: object | null
  }>`select object, owner from events
    where kind = 'run' and action = 'updated' order by id`.execute(db)
  expect(rows.map(({ object }) => [object.ended_on !== null, object.parts?.length])).toEqual([
    [false, undefined],
    [true, 62],
  ])
  expect(rows[0]?.owner).toEqual(rows[1]?.owner)
  expect(rows[0]?.owner).not.toBeNull()
})

it('runs are listed a few at a time, for each may have a thousand parts', async () => {
  await using world = await startWithSlice()
  await sql`insert into runs (id, slice_id, name, programs, ended_on)
    select 'old-' || n, 1, 'old-' || n, '[]', now() from generate_series(101, 160) as n`.execute(
    world.database.db,
  )
  const list = async (url: string) => (await world.ask(world.red, 'GET', url)).json<Run[]>()
  const names = Array.from({ length: 60 }, (_, index) => `old-${160 - index}`)
  for (const url of [routes.runs, path(routes.sliceRuns, { id: 1 })]) {
    expect((await list(url)).map(({ name }) => name)).toEqual(names)
    expect((await list(`${url}?per_page=50&page=2`)).map(({ name }) => name)).toEqual(
      names.slice(50),
    )
    expect(await list(`${url}?per_page=51`)).toMatchObject({ code: 'LAB_REQUEST_INVALID' })
  }
})

it('the bytes of open runs are counted like those of a new one, whatever their characters', async () => {
  await using world = await startWithSlice()
  // As JSON, each of these is six characters.
  const script = '\u0001'.repeat(maxRunBytes)
  expect((await start(world, 'one', script)).statusCode).toBe(201)
  expect((await start(world, 'other', script)).statusCode).toBe(201)
  expect((await start(world, 'third')).json()).toMatchObject({
    code: 'LAB_RUN_TOO_LARGE',
    details: { limitBytes: 0 },
  })
})
