import { once } from 'node:events'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import {
  routes,
  streamSubprotocol,
  type NodeTarget,
  type Slice,
  type Sliver,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { createUplink } from '../../../../agent/src/measurement/uplink/uplink.ts'
import { tidy } from '../../../../server/src/registry/tidy.ts'
import {
  removeExpiredSlices,
  warnOfEnds,
} from '../../../../server/src/registry/write/slice-ends.ts'
import { patienceMs } from '../../../support/eventually.ts'
import { makeFolder, readAll } from '../telemetry/world.ts'
import { aSliverReport, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

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

async function read<T>(world: TestbedWorld, url: string): Promise<T> {
  return (await world.ask(null, 'GET', url)).json<T>()
}

async function target(world: TestbedWorld): Promise<NodeTarget['slivers']> {
  const response = await world.ask(world.nodes[0] ?? '', 'GET', '/api/nodes/1/ctl/target/')
  return response.json<NodeTarget>().slivers
}

describe('a slice', () => {
  it('that is made empty starts in register and takes slivers one by one', async () => {
    await using world = await testbeds.start()
    const made = await world.ask(world.red, 'POST', routes.slices, {
      body: { name: 'mine', sliver_defaults: { template: { id: 1 } } },
    })
    expect(made.headers.location).toBe('/api/slices/1/')
    expect(made.json()).toMatchObject({ set_state: 'register', slivers: [] })
    const add = () =>
      world.ask(world.red, 'POST', routes.slivers, { body: { slice: { id: 1 }, node: { id: 2 } } })
    const added = await add()
    expect(added.headers.location).toBe('/api/slivers/1@2/')
    expect(added.json()).toMatchObject({ effective_set_state: 'register', state: 'unknown' })
    expect((await add()).json()).toMatchObject({ code: 'LAB_NAME_TAKEN' })
    const slice = await read<Slice>(world, '/api/slices/1/')
    expect(slice.slivers).toEqual([{ uri: '/api/slivers/1@2/', id: '1@2' }])
  })

  it('wants of each sliver the lower of its own state and the sliver’s', async () => {
    await using world = await startWithSlice()
    const patch = (url: string, body: object) => world.ask(world.red, 'PATCH', url, { body })
    const wanted = async () =>
      (await read<Sliver[]>(world, routes.slivers)).map((sliver) => sliver.effective_set_state)
    await patch('/api/slivers/1@1/', { set_state: 'deploy' })
    expect(await wanted()).toEqual(['deploy', 'start'])
    await patch('/api/slices/1/', { set_state: 'register' })
    expect(await wanted()).toEqual(['register', 'register'])
    await patch('/api/slices/1/', {
      set_state: 'start',
      sliver_defaults: { set_state: 'deploy' },
    })
    expect(await wanted()).toEqual(['deploy', 'deploy'])
    await patch('/api/slivers/1@2/', { set_state: 'start' })
    expect(await wanted()).toEqual(['deploy', 'start'])
    expect(await target(world)).toMatchObject([{ id: '1@1', set_state: 'deploy' }])
  })

  it('is not started or stopped by a PUT of an old copy', async () => {
    await using world = await startWithSlice()
    const old = await read<Slice>(world, '/api/slices/1/')
    await world.ask(world.red, 'PATCH', '/api/slices/1/', { body: { set_state: 'deploy' } })
    const put = (body: object) => world.ask(world.red, 'PUT', '/api/slices/1/', { body })
    const refused = await put({ ...old, description: 'new' })
    expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([
      400,
      'LAB_SLICE_SET_STATE_BY_PUT',
    ])
    const put2 = await put({ ...old, set_state: 'deploy', description: 'new' })
    expect(put2.json()).toMatchObject({ description: 'new', set_state: 'deploy' })
  })

  it('is reset, and its slivers updated, by numbers that rise once per request', async () => {
    await using world = await startWithSlice()
    const call = (url: string) => world.ask(world.red, 'POST', url)
    for (const expected of [1, 2]) {
      const reset = await call('/api/slices/1/ctl/reset/')
      expect([reset.statusCode, reset.json<Slice>().instance_sn]).toEqual([202, expected])
    }
    const updates = await Promise.all([1, 2, 3].map(() => call('/api/slivers/1@1/ctl/update/')))
    expect(updates.map((update) => update.json<Sliver>().instance_sn).sort()).toEqual([1, 2, 3])
    expect(await target(world)).toMatchObject([{ slice_instance_sn: 2, instance_sn: 3 }])
    expect(await read<Sliver>(world, '/api/slivers/1@2/')).toMatchObject({ instance_sn: 0 })
  })

  it('lives for 30 days from its last renewal, and then goes with its slivers', async () => {
    await using world = await startWithSlice()
    const { registry } = world.context
    const days = async () => {
      const { expires_on } = await read<Slice>(world, '/api/slices/1/')
      return (Date.parse(expires_on) - Date.now()) / 86_400_000
    }
    const setExpiry = (expires_on: Date) =>
      world.database.db.updateTable('slices').set({ expires_on }).execute()
    expect(await days()).toBeCloseTo(30, 2)
    await setExpiry(new Date(Date.now() + 60_000))
    expect(await removeExpiredSlices(registry)).toBe(0)
    await world.ask(world.red, 'POST', '/api/slices/1/ctl/renew/')
    expect(await days()).toBeCloseTo(30, 2)
    await setExpiry(new Date(Date.now() - 1))
    expect(await removeExpiredSlices(registry)).toBe(1)
    expect(await read(world, routes.slices)).toEqual([])
    expect(await target(world)).toEqual([])
    // What it measured stays its group's, and its id is not used again.
    expect(await world.context.registry.sliceGroup(1)).toBe(2)
    const next = await world.ask(world.blue, 'POST', routes.slices, { body: { name: 'mine' } })
    expect(next.json<Slice>().id).toBe(2)
  })

  it('is warned of its end 4 days and 1 day before, each once and by an event; a renewal takes that back', async () => {
    await using world = await startWithSlice()
    const { registry, feed } = world.context
    const read1 = () => read<Slice>(world, '/api/slices/1/')
    const { expires_on } = await read1()
    /** The time so many days before its end. */
    const before = (days: number) => new Date(Date.parse(expires_on) - days * 86_400_000)
    const events = async () => (await feed.range()).last
    const first = await events()
    expect(await warnOfEnds(registry, before(4.01))).toBe(0)
    expect([(await read1()).end_warning, await events()]).toEqual([null, first])
    expect(await warnOfEnds(registry, before(4))).toBe(1)
    const since = before(4).toISOString()
    expect((await read1()).end_warning).toEqual({ days: 4, since })
    expect(await warnOfEnds(registry, before(1.01))).toBe(0)
    expect(await events()).toBe(first + 1)
    expect(await warnOfEnds(registry, before(1))).toBe(1)
    expect((await read1()).end_warning).toMatchObject({ days: 1 })
    expect(await events()).toBe(first + 2)
    const renewed = await world.ask(world.red, 'POST', '/api/slices/1/ctl/renew/')
    expect(renewed.json<Slice>().end_warning).toBeNull()
    expect(await warnOfEnds(registry, new Date())).toBe(0)
    // A server that was away for days warns once, of the later.
    expect(await warnOfEnds(registry, new Date(Date.now() + 29.5 * 86_400_000))).toBe(1)
    expect((await read1()).end_warning).toMatchObject({ days: 1 })
    expect(await removeExpiredSlices(registry, new Date(Date.now() + 31 * 86_400_000))).toBe(1)
    const late = await world.ask(world.red, 'POST', '/api/slices/1/ctl/renew/')
    expect([late.statusCode, late.json()]).toMatchObject([404, { code: 'LAB_NOT_FOUND' }])
  })

  it('that cannot be removed keeps nothing else that has ended', async () => {
    await using world = await startWithSlice()
    const { db } = world.database
    await world.ask(world.blue, 'POST', routes.slices, { body: { name: 'ending' } })
    const setExpiry = (id: number, expires_on: Date) =>
      db.updateTable('slices').set({ expires_on }).where('id', '=', id).execute()
    await setExpiry(1, new Date(Date.now() - 1))
    await setExpiry(2, new Date(Date.now() + 3_600_000))
    await sql`insert into audit (role, "right", kind, action, object_id, object_name, count, time)
      values ('server', 'old', 'slice', 'deleted', '9', 'old', 1, '2000-01-01')`.execute(db)
    await sql`create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'the disk is broken'; end $$`.execute(db)
    await sql`create trigger stays before delete on slices
      for each row execute function refuse()`.execute(db)
    const errors: unknown[] = []
    await tidy(world.context.registry, (error) => errors.push(error))
    expect(errors).toMatchObject([{ message: '1 expired slices cannot be removed' }])
    expect((await read<Slice>(world, '/api/slices/2/')).end_warning).toMatchObject({ days: 1 })
    const old = await db.selectFrom('audit').select('id').where('right', '=', 'old').execute()
    expect(old).toEqual([])
  })

  it('has the samples that its nodes still hold after its end', async () => {
    await using world = await startWithSlice()
    await using folder = await makeFolder()
    const spool = await openSpool(join(folder.dir, 'spool'))
    spool.append([{ time_us: 1, source: '1@1', name: 'late', fields: { n: 1 } }])
    const { expires_on } = await read<Slice>(world, '/api/slices/1/')
    const after = new Date(Date.parse(expires_on) + 1)
    expect(await removeExpiredSlices(world.context.registry, after)).toBe(1)
    const url = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const uplink = createUplink({
      spool,
      softVersion: '1',
      async openStream(signal) {
        const at = `${url.replace('http', 'ws')}/api/nodes/1/ctl/stream`
        const headers = { authorization: `Bearer ${world.nodes[0] ?? ''}` }
        const socket = new WebSocket(at, streamSubprotocol, { headers })
        await once(socket, 'open', { signal })
        return socket
      },
      onChanged: () => undefined,
      signal: new AbortController().signal,
    })
    await expect.poll(() => spool.firstSeq, { timeout: patienceMs }).toBeGreaterThan(1)
    await uplink.close()
    await spool.close()
    const rows = await readAll(world.app.telemetry, 'late', 'slice-1')
    expect(rows).toMatchObject([{ n: 1 }])
  })

  it('goes with its node’s removal only there', async () => {
    await using world = await startWithSlice()
    expect((await world.ask(world.operator, 'DELETE', '/api/nodes/1/')).statusCode).toBe(204)
    const slice = await read<Slice>(world, '/api/slices/1/')
    expect(slice.slivers.map(({ id }) => id)).toEqual(['1@2'])
    const created = await world.ask(world.operator, 'POST', routes.nodes, { body: { name: 'n1' } })
    expect(created.json()).toMatchObject({ id: 3, slivers: [] })
  })
})

describe('a sliver’s SSH port', () => {
  it('is opened for who may, when it is started and reached', async () => {
    await using world = await startWithSlice()
    const origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const knock = async (token: string) => {
      const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/slivers/1@1/ctl/ssh`, {
        headers: { authorization: `Bearer ${token}` },
      })
      return refusal(socket)
    }
    expect(await knock(world.blue)).toMatchObject({ code: 'LAB_AUTH_FORBIDDEN' })
    expect(await knock(world.red)).toMatchObject({
      code: 'LAB_SLIVER_NOT_STARTED',
      details: { state: 'unknown' },
    })
    const message = 'the owner holds the node in safe: moving house'
    await world.report(1, { state: 'safe', errors: [{ member: '/set_state', message }] })
    expect(await knock(world.red)).toMatchObject({
      detail: expect.stringContaining(
        `node n1 runs slivers again, which is safe: ${message}`,
      ) as string,
    })
    await world.report(1, { slivers: [aSliverReport('1@1')] })
    // There is no management network here.
    for (const token of [world.red, world.operator])
      expect(await knock(token)).toMatchObject({ status: 502, code: 'LAB_SLIVER_UNREACHABLE' })
  })
})

/** The problem that a WebSocket was refused with. */
async function refusal(socket: WebSocket): Promise<unknown> {
  const problem = Promise.withResolvers<unknown>()
  socket.on('error', problem.reject)
  socket.on('unexpected-response', (_request, response) => {
    json(response).then(problem.resolve, problem.reject)
  })
  return problem.promise
}
