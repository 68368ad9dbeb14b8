import { path, routes, type Node } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresKinds } from '../../../support/postgres.ts'
import { readEvents } from '../world/events.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { startWorld } from '../world/world.ts'

const reboot = (world: Pick<TestbedWorld, 'ask'>, token: string, id: number) =>
  world.ask(token, 'POST', path(routes.nodeReboot, { id }))

const lastId = async ({ context }: Pick<TestbedWorld, 'context'>): Promise<number> =>
  (await context.feed.range()).last

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

describe.each(postgresKinds)('changes on %s PostgreSQL', (kind) => {
  let testbeds: Testbeds
  beforeAll(async () => {
    testbeds = await startTestbeds(kind)
  })
  afterAll(() => testbeds[Symbol.asyncDispose]())

  it.each([
    ['of a template', 'PATCH', path(routes.template, { id: 1 }), { description: 'other' }],
    ['of SSH keys', 'POST', routes.addAuthToken, { auth_token: 'ssh-ed25519 AAAA red@laptop' }],
  ] as const)(
    '%s reach the node of a sliver that is being added at that moment',
    async (_, method, url, body) => {
      await using world = await testbeds.start()
      const { red, operator } = world
      const spec = { name: 'mine', template: 'tiny', nodes: ['n1'] }
      await world.ask(red, 'PUT', routes.sliceEnsure, { body: spec })
      const hints: number[] = []
      world.context.registry.onTargetChanged((nodeId) => hints.push(nodeId))
      const { promise: release, resolve: letGo } = Promise.withResolvers<undefined>()
      const held = Promise.withResolvers<undefined>()
      const holding = world.database.db.transaction().execute(async (tx) => {
        await sql`select from counters for update`.execute(tx)
        held.resolve(undefined)
        await release
      })
      await held.promise
      /** Wait until so many changes wait for the one that holds the counter of events. */
      const untilWaiting = async (count: number): Promise<void> => {
        const waiting = sql`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`
        while ((await waiting.execute(world.database.db)).rows.length < count);
      }
      const sliver = { slice: { id: 1 }, node: { id: 2 } }
      const adding = world.ask(red, 'POST', routes.slivers, { body: sliver })
      await untilWaiting(1)
      const changing = world.ask(url === routes.addAuthToken ? red : operator, method, url, {
        body,
      })
      await Promise.race([untilWaiting(2), changing])
      letGo(undefined)
      await holding
      expect((await adding).statusCode).toBe(201)
      expect((await changing).statusCode).toBe(200)
      expect(hints.sort()).toEqual([1, 2, 2])
    },
  )

  it('by many writers are told in the order of their commits, none missed, none twice', async () => {
    await using world = await testbeds.start()
    // A second server on the same database: its writers and readers have nothing else in common with the first's.
    await using other = await startWorld({ databaseUrl: world.databaseUrl })
    const before = await lastId(world)
    await using near = await readEvents(world, { lastEventId: before })
    await using far = await readEvents(other, { lastEventId: before })
    const count = 60
    const changes = range(1, count).map((number) =>
      reboot(number % 2 === 0 ? world : other, world.operator, (number % 3 === 0 ? 1 : 0) + 1),
    )
    for (const { statusCode } of await Promise.all(changes)) expect(statusCode).toBe(202)
    const told = await near.take(count)
    expect(told.map(({ id }) => id)).toEqual(range(before + 1, before + count))
    expect(await far.take(count)).toEqual(told)
    // Each tells of the node as that commit left it: a later one never shows less than an earlier.
    for (const name of ['n1', 'n2']) {
      const nodes = told.map(({ data }) => data.object as Node).filter((node) => node.name === name)
      expect(nodes.map(({ boot_sn }) => boot_sn)).toEqual(range(1, nodes.length))
    }
    await reboot(world, world.operator, 1)
    expect((await near.take(1))[0]?.id).toBe(before + count + 1)
  })

  it('that fail leave neither a row nor an event nor a gap', async () => {
    await using world = await testbeds.start()
    const { registry } = world.context
    const before = await lastId(world)
    const failing = registry.change(async (change) => {
      await change.tx.updateTable('nodes').set({ description: 'changed' }).execute()
      change.note('node', 'updated', 1)
      // The event of an incident is noted, and then the change fails.
      change.incident({ code: 'unknown_host', node: null, message: 'x' })
      throw new Error('on purpose')
    })
    await expect(failing).rejects.toThrow('on purpose')
    // An error that the database finds only at the commit.
    const late = registry.change(async (change) => {
      change.note('node', 'updated', 1)
      await sql`create temporary table once (at int unique deferrable initially deferred)`.execute(
        change.tx,
      )
      await sql`insert into once values (1), (1)`.execute(change.tx)
    })
    await expect(late).rejects.toThrow(/unique/u)
    expect(await lastId(world)).toBe(before)
    const node = (await world.ask(null, 'GET', '/api/nodes/1/')).json<Node>()
    expect(node.description).toBe('')
    await reboot(world, world.operator, 1)
    expect(await lastId(world)).toBe(before + 1)
  })

  it('that PostgreSQL could not serialize are repeated, and told of once', async () => {
    await using world = await testbeds.start()
    const before = await lastId(world)
    let attempts = 0
    await world.context.registry.change(async (change) => {
      change.note('node', 'updated', 1)
      if (++attempts === 1)
        await sql`do $$ begin raise exception 'x' using errcode = '40001'; end $$`.execute(
          change.tx,
        )
    })
    expect(attempts).toBe(2)
    expect(await lastId(world)).toBe(before + 1)
  })

  it('whose connection is lost on the way fail alone', async () => {
    await using world = await testbeds.start()
    const { registry } = world.context
    const before = await lastId(world)
    const lost = registry.change(async ({ tx, note }) => {
      note('node', 'updated', 1)
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
      // Waits for the end, so that it comes between two statements of the change.
      await sql`select pg_terminate_backend(${rows[0]?.pid}, 10000)`.execute(world.database.db)
    })
    await expect(lost).rejects.toThrow()
    expect(await lastId(world)).toBe(before)
    await reboot(world, world.operator, 1)
    expect(await lastId(world)).toBe(before + 1)
  })

  it('are heard of again after the connection that listens was lost', async () => {
    await using world = await testbeds.start()
    await using reader = await readEvents(world, { lastEventId: await lastId(world) })
    const { db } = world.database
    const ended = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%'`.execute(db)
    expect(ended.rows).toHaveLength(1)
    await reboot(world, world.operator, 1)
    expect((await reader.take(1))[0]?.data).toMatchObject({ kind: 'node', action: 'updated' })
    await reboot(world, world.operator, 2)
    expect((await reader.take(1))[0]?.data.object).toMatchObject({ name: 'n2' })
  })

  it('of a whole slice are told in one go, each object as it is read', async () => {
    await using world = await testbeds.start()
    const before = await lastId(world)
    await using reader = await readEvents(world, { lastEventId: before })
    const body = { name: 'hello', template: 'tiny', nodes: ['n1', 'n2'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const made = await reader.take(6)
    expect(made.map(({ data }) => [data.kind, data.action, data.object_id])).toEqual([
      ['slice', 'created', '1'],
      ['sliver', 'created', '1@1'],
      ['node', 'updated', '1'],
      ['sliver', 'created', '1@2'],
      ['node', 'updated', '2'],
      // It shows its slices, and what they take.
      ['group', 'updated', '2'],
    ])
    for (const { data } of made) {
      const { uri } = data.object as { uri: string }
      const read = (await world.ask(null, 'GET', uri)).json<object>()
      expect({ ...data.object, last_seen_on: null }).toEqual({ ...read, last_seen_on: null })
    }
    await world.ask(world.red, 'DELETE', '/api/slices/1/')
    const gone = await reader.take(6)
    expect(gone.filter(({ data }) => data.action === 'deleted')).toMatchObject([
      { data: { kind: 'sliver', object_id: '1@1', object: null } },
      { data: { kind: 'sliver', object_id: '1@2', object: null } },
      { data: { kind: 'slice', object_id: '1', object: null } },
    ])
  })
})
