import {
  path,
  routes,
  type JournalEntry,
  type NodeAvailability,
  type NodeInterval,
  type NodeLastReport,
  type SliverInterval,
  type SliverLastReport,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRecorded } from '../../../../server/src/dataset/recorded.ts'
import { openDatabase } from '../../../../server/src/postgres/database.ts'
import { pruneHistory } from '../../../../server/src/registry/write/history.ts'
import { eventually } from '../../../support/eventually.ts'
import {
  aReport,
  aSliverReport,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'
import { refuse } from '../world/refuse.ts'
import { startWorld, type World } from '../world/world.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const get = async <T>(world: World, url: string) => (await world.ask(null, 'GET', url)).json<T>()
const nodeHistory = (world: World, id: number) =>
  get<NodeInterval[]>(world, path(routes.nodeHistory, { id }))
const sliverHistory = (world: World, id: string) =>
  get<SliverInterval[]>(world, path(routes.sliverHistory, { id }))
/** The known states, in order. The world's database is a copy, so its server has not run all the time. */
const statesOf = (intervals: readonly { readonly state: string }[]) =>
  intervals
    .map(({ state }) => state)
    .filter((state) => state !== 'nodata')
    .filter((state, index, known) => state !== known[index - 1])

const fail = (error: unknown): void => {
  throw error
}

const ensure = (world: TestbedWorld, name = 'hello') =>
  world.ask(world.red, 'PUT', routes.sliceEnsure, {
    body: { name, template: 'tiny', nodes: ['n1'] },
  })
const countRows = async (world: World, table: 'node_states' | 'sliver_states' | 'journal') => {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ${sql.table(table)}`.execute(world.database.db)
  return rows[0]?.count
}

describe('the history of a node', () => {
  it('has each state that it reported, why, and no row for a report that changes none', async () => {
    await using world = await testbeds.start()
    const errors = [{ member: '/direct_ifaces/0', message: 'there is no eth7' }]
    await world.report(1, { state: 'debug', errors })
    const rows = await countRows(world, 'node_states')
    await world.report(1, { state: 'debug', errors, soft_version: '0.2.0' })
    expect(await countRows(world, 'node_states')).toBe(rows)
    await world.report(1)
    const history = await nodeHistory(world, 1)
    expect(statesOf(history)).toEqual(['unknown', 'production', 'debug', 'production'])
    expect(history.at(-2)).toMatchObject({ reason: '/direct_ifaces/0: there is no eth7' })
    expect(history.at(-1)).toMatchObject({ reason: null, from: history.at(-2)?.to })
  })

  it('is read in parts, which together are the whole', async () => {
    await using world = await testbeds.start()
    for (const state of ['safe', 'production', 'safe', 'production'] as const)
      await world.report(1, { state })
    const to = new Date().toISOString()
    const whole = await get<NodeInterval[]>(
      world,
      `${path(routes.nodeHistory, { id: 1 })}?to=${to}`,
    )
    const parts: NodeInterval[] = []
    let next: string | undefined = `${path(routes.nodeHistory, { id: 1 })}?to=${to}&per_page=2`
    while (next !== undefined) {
      const answer = await world.ask(null, 'GET', next)
      const page = answer.json<NodeInterval[]>()
      expect(page.length).toBeLessThanOrEqual(2)
      parts.push(...page)
      next = /<([^>]+)>; rel="next"/u.exec(String(answer.headers.link))?.[1]
    }
    expect(parts).toEqual(whole)
  })

  it('is in the public dataset as everybody reads it', async () => {
    await using world = await testbeds.start()
    await world.report(1, { state: 'safe' })
    await world.report(1)
    const { db } = world.database
    const answer = await sql<{ id: number }>`select max(id)::int as id from server_runs`.execute(db)
    const toMs = Date.now()
    const period = { fromMs: toMs - 86_400_000, toMs }
    const run = { id: answer.rows[0]?.id ?? 0 }
    const [states] = await readRecorded({ db, run }, period)
    const query = `from=${new Date(period.fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`
    const history = await get<NodeInterval[]>(
      world,
      `${path(routes.nodeHistory, { id: 1 })}?${query}`,
    )
    const ofNode = states?.rows.filter(([, , id]) => id === 1) ?? []
    expect(ofNode.map(([time, , , state, to]) => [time, state, to])).toEqual(
      history.map(({ from, state, to }) => [new Date(from), state, new Date(to)]),
    )
    expect(statesOf(history)).toEqual(['unknown', 'production', 'safe', 'production'])
    expect(states?.isCut).toBe(false)
    const [cut] = await readRecorded({ db, run }, period, 1)
    expect(cut?.isCut).toBe(true)
  })

  it('has the node offline from its last sign of life on', async () => {
    await using world = await testbeds.start({ offlineAfterS: 1 })
    await world.report(1)
    const { last_seen_on: seenOn } = await get<NodeLastReport>(
      world,
      path(routes.nodeState, { id: 1 }),
    )
    await eventually(async () =>
      expect((await nodeHistory(world, 1)).at(-1)?.state).toBe('offline'),
    )
    const offline = (await nodeHistory(world, 1)).at(-1)
    expect(offline?.reason).toBe('no sign of life for 1 s')
    // It may have been offline before it reported, on a busy machine.
    expect(Date.parse(offline?.from ?? '')).toBeLessThanOrEqual(Date.parse(seenOn ?? ''))
  })

  it('is nodata while no server ran, also when the server was killed', async () => {
    const world = await testbeds.start()
    await world.report(1)
    const { db } = world.database
    // As if it had been killed ten minutes ago, and everything else had happened an hour ago.
    await sql`update node_states set began_on = began_on - interval '1 hour',
      ended_on = ended_on - interval '1 hour'`.execute(db)
    await world[Symbol.asyncDispose]()
    await using again = await startWorld({ databaseUrl: world.databaseUrl })
    await sql`update server_runs set began_on = began_on - interval '1 hour',
      up_until = up_until - interval '10 minutes' where id <> ${again.context.registry.run.id}`.execute(
      again.database.db,
    )
    const history = await nodeHistory(again, 1)
    expect(history.slice(-3).map(({ state }) => state)).toEqual([
      'production',
      'nodata',
      'production',
    ])
    expect(history.at(-2)).toMatchObject({ reason: 'the server was not running' })
    const shares = await get<NodeAvailability>(
      again,
      `${path(routes.nodeAvailability, { id: 1 })}?from=${history.at(-3)?.from ?? ''}`,
    )
    const [away] = shares.seconds.filter(({ state }) => state === 'nodata')
    expect(away?.seconds).toBeGreaterThan(590)
    expect(shares.availability).toBe(1)
    const sumS = shares.seconds.reduce((sum, { seconds }) => sum + seconds, 0)
    expect(sumS * 1000).toBeCloseTo(Date.parse(shares.to) - Date.parse(shares.from), 3)
  })

  it('is refused for a period that ends before it begins, and for a node that is none', async () => {
    await using world = await testbeds.start()
    const url = path(routes.nodeHistory, { id: 1 })
    for (const query of ['?from=2999-01-01T00:00:00Z', '?from=yesterday', '?per_page=0'])
      expect((await world.ask(null, 'GET', `${url}${query}`)).statusCode).toBe(400)
    const none = await world.ask(null, 'GET', path(routes.nodeAvailability, { id: 99 }))
    expect(none.statusCode).toBe(404)
  })
})

describe('the history of a sliver', () => {
  it('has its own states, and its node’s while nothing is known of it', async () => {
    await using world = await testbeds.start()
    await ensure(world)
    const errors = [{ member: '/template', message: 'the SHA-256 is another' }]
    await world.report(1, { slivers: [aSliverReport('1@1', { state: 'fail_allocate', errors })] })
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    await world.ask(world.operator, 'POST', path(routes.nodeRevoke, { id: 1 }))
    const offline = await get<SliverLastReport>(world, path(routes.sliverState, { id: '1@1' }))
    expect(offline).toMatchObject({ current: 'offline', verified: true, data: { nr: 1 } })
    await world.context.registry.takeReport(1, aReport({ slivers: [aSliverReport('1@1')] }))
    const history = await sliverHistory(world, '1@1')
    expect(statesOf(history)).toEqual(['unknown', 'fail_allocate', 'started', 'offline', 'started'])
    const reasons = history.map(({ reason }) => reason)
    expect(reasons).toContain('/template: the SHA-256 is another')
    expect(reasons).toContain('of its node: it was revoked')
  })
})

describe('the journal', () => {
  const journal = (world: World, query = '') =>
    get<JournalEntry[]>(world, `${routes.journal}${query}`)

  it('keeps which slivers ran where after slice, group name and node have changed or gone', async () => {
    await using world = await testbeds.start()
    await ensure(world)
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    expect(await journal(world)).toMatchObject([
      { slice_name: 'hello', group_name: 'red', node_name: 'n1', to: null },
    ])
    await world.report(1, { slivers: [aSliverReport('1@1')], soft_version: '0.2.0' })
    await world.report(1, {
      slivers: [aSliverReport('1@1', { started_on: '2026-05-04T13:00:00.000Z' })],
    })
    await world.ask(world.red, 'DELETE', path(routes.slice, { id: 1 }))
    await world.ask(world.operator, 'DELETE', path(routes.node, { id: 1 }))
    const entries = await journal(world)
    expect(entries.map(({ started_on: on }) => on)).toEqual([
      '2026-05-04T13:00:00.000Z',
      '2026-05-04T12:00:00.000Z',
    ])
    expect(entries[1]?.to).toBe(entries[0]?.from)
    expect(entries[0]?.to).not.toBeNull()
    const [only] = await journal(world, `?/node_name="n1"&per_page=1`)
    expect(await get(world, only?.uri ?? '')).toEqual(only)
    expect(await journal(world, `?/slice_name="other"`)).toEqual([])
    expect(await journal(world, '?to=2020-01-01T00:00:00Z')).toEqual([])
    expect(await journal(world, '?from=2020-01-01T00:00:00Z')).toHaveLength(2)
  })

  it('ends a life when its node reports it as stopped, and forgets what is old', async () => {
    await using world = await testbeds.start()
    await ensure(world)
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    await world.report(1, { slivers: [aSliverReport('1@1', { state: 'deployed' })] })
    const [entry] = await journal(world)
    expect(entry?.to).not.toBeNull()
    const { db } = world.database
    await sql`update journal set ended_on = now() - interval '800 days'`.execute(db)
    await sql`update node_states set ended_on = now() - interval '500 days'
      where ended_on is not null`.execute(db)
    await pruneHistory(db, fail)
    expect(await journal(world)).toEqual([])
    // What is still so is kept: the present state of two nodes.
    expect(await countRows(world, 'node_states')).toBe(2)
  })

  /** Start a server anew after a week in which it heard nothing of n1, on which a sliver ran. Returns it, and the ETag of the node's last report. */
  const startAfterWeek = async (offlineAfterS?: number) => {
    const world = await testbeds.start()
    await ensure(world)
    const etag = await world.report(1, { slivers: [aSliverReport('1@1')] })
    await world[Symbol.asyncDispose]()
    const { databaseUrl } = world
    const { db } = await openDatabase({ url: databaseUrl, onLost: () => undefined })
    await sql`update journal set began_on = began_on - interval '15 days'`.execute(db)
    await sql`update nodes set last_seen_on = last_seen_on - interval '7 days'`.execute(db)
    await db.destroy()
    const limits = offlineAfterS === undefined ? {} : { offlineAfterS }
    const { operator, red } = world
    return { world: await startWorld({ databaseUrl, ...limits }), etag, operator, red }
  }
  const restarted = aSliverReport('1@1', { started_on: '2026-05-11T12:00:00.000Z' })
  const daysSince = (time: string | null | undefined) =>
    (Date.now() - Date.parse(time ?? '')) / 86_400_000

  it('ends a life that a power cut has ended when its node was last seen, not when it is back', async () => {
    for (const sliver of [restarted, aSliverReport('1@1', { state: 'deployed' })]) {
      const started = await startAfterWeek()
      await using world = started.world
      await world.context.registry.takeReport(1, aReport({ slivers: [sliver] }))
      const entries = await journal(world)
      expect(daysSince(entries.at(-1)?.to)).toBeCloseTo(7, 1)
      expect(entries.slice(0, -1).map(({ to }) => to)).toEqual(sliver === restarted ? [null] : [])
    }
  })

  it('ends the life of a sliver that is removed while its node is away when the node was last seen, not at the removal', async () => {
    const [slice, sliver, node] = [
      path(routes.slice, { id: 1 }),
      path(routes.sliver, { id: '1@1' }),
      path(routes.node, { id: 1 }),
    ]
    // Right after its start, the server does not know yet that the node is offline.
    for (const [removed, isNoticed] of [
      [slice, true],
      [slice, false],
      [sliver, false],
      [node, false],
    ] as const) {
      const started = await startAfterWeek(isNoticed ? 1 : undefined)
      await using world = started.world
      if (isNoticed)
        await eventually(async () =>
          expect((await nodeHistory(world, 1)).at(-1)?.state).toBe('offline'),
        )
      const { statusCode } = await world.ask(started.operator, 'DELETE', removed)
      expect([removed, statusCode]).toEqual([removed, 204])
      expect(daysSince((await journal(world)).at(-1)?.to)).toBeCloseTo(7, 1)
    }
  })

  it('ends the life of a sliver that is removed when its node is back at the removal', async () => {
    for (const comesBack of ['polls', 'reports'] as const) {
      const started = await startAfterWeek()
      await using world = started.world
      const { registry } = world.context
      const report = aReport({ slivers: [aSliverReport('1@1')] })
      await (comesBack === 'polls'
        ? registry.poll(1, { target: null, report: started.etag })
        : registry.takeReport(1, report))
      await world.ask(started.operator, 'DELETE', path(routes.slice, { id: 1 }))
      expect(daysSince((await journal(world)).at(-1)?.to)).toBeCloseTo(0, 1)
    }
  })

  it('goes on with a life that lasted while its node was away, until it ends', async () => {
    const { world: again, etag } = await startAfterWeek()
    await using world = again
    const { registry } = world.context
    expect(await registry.poll(1, { target: null, report: etag })).toMatchObject({ report: true })
    await registry.takeReport(1, aReport({ slivers: [restarted] }))
    const [next, last] = await journal(world)
    expect([last?.to, next?.to]).toEqual([next?.from, null])
    expect(daysSince(last?.to)).toBeCloseTo(0, 1)
  })

  it('ends a life with the contact after which its node was offline', async () => {
    const before = await testbeds.start()
    await ensure(before)
    const report = aReport({ slivers: [aSliverReport('1@1')] })
    await before.context.registry.takeReport(1, report)
    await before[Symbol.asyncDispose]()
    await using world = await startWorld({ databaseUrl: before.databaseUrl, offlineAfterS: 4 })
    await world.context.registry.takeReport(1, report)
    await eventually(async () =>
      expect((await nodeHistory(world, 1)).at(-1)?.state).toBe('offline'),
    )
    const offline = (await nodeHistory(world, 1)).at(-1)
    await world.context.registry.takeReport(1, aReport({ slivers: [restarted] }))
    expect((await journal(world)).at(-1)?.to).toBe(offline?.from)
  })

  it('and the history have at most ten thousand rows of one node', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    await sql`insert into node_states (node_id, state, began_on, ended_on)
      select 1, 'safe', now() - interval '1 day' + n * interval '1 second',
        now() - interval '1 day' + (n + 1) * interval '1 second'
      from generate_series(1, 12000) as n`.execute(db)
    await pruneHistory(db, fail)
    const { rows } = await sql<{ all: number; open: number }>`
      select count(*)::int as all, count(*) filter (where ended_on is null)::int as open
      from node_states where node_id = 1`.execute(db)
    // What is still so is kept however old it is.
    expect(rows).toEqual([{ all: 10_001, open: 1 }])
  })

  it('are tidied up as far as possible when a part of it fails', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    await ensure(world)
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    await world.report(1)
    await sql`update journal set ended_on = now() - interval '800 days'`.execute(db)
    await sql`update node_states set ended_on = now() - interval '500 days'
      where ended_on is not null`.execute(db)
    await refuse(db, 'delete on node_states')
    const failures: unknown[] = []
    await pruneHistory(db, (error) => failures.push(error))
    expect(failures).toEqual([expect.objectContaining({ message: 'refused' })])
    expect(await journal(world)).toEqual([])
  })

  it('of a server that was started ten thousand times has the latest runs', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    await sql`insert into server_runs (began_on, up_until)
      select now(), now() from generate_series(1, 12000)`.execute(db)
    await pruneHistory(db, fail)
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from server_runs`.execute(db)
    expect(rows).toEqual([{ count: 10_000 }])
  })
})
