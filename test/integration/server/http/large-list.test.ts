import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { acceptOf, routes, type Island, type Node } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../../server/src/http/limits.ts'
import { patienceMs } from '../../../support/eventually.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

/** More than are in memory at once for one reader. */
const count = 1_250

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  await fill(world)
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

async function fill({ database: { db } }: TestbedWorld): Promise<void> {
  await sql`
    insert into nodes (name, description, group_id, arch, properties, set_state, state)
    select 'many' || nr, '', 1, 'x86_64', '{}', 'debug', 'unknown'
    from generate_series(3, ${count}::int) as nr order by nr`.execute(db)
  await sql`insert into islands (name, description)
    select 'many' || nr, '' from generate_series(1, ${count}::int) as nr order by nr`.execute(db)
}

/** Clients of CONFINE. */
const confine = { accept: 'application/json', host: 'lab.example' }
const site = 'http://lab.example'

function ask(
  headers: Readonly<Record<string, string>> = {},
  query = '',
  list: string = routes.nodes,
) {
  return world.ask(null, 'GET', `${list}${query}`, { headers })
}
const askIslands = (headers: Readonly<Record<string, string>> = {}, query = '') =>
  ask(headers, query, routes.islands)

describe('a list of more than a thousand, of which texts are kept', () => {
  it('comes whole, in order, with the members and links of a small one', async () => {
    const answer = await ask()
    const nodes = answer.json<Node[]>()
    expect(nodes.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    const [first] = (await ask({}, '?per_page=1')).json<Node[]>()
    expect(nodes[0]).toEqual(first)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers.link).toContain('rel="http://confine-project.eu/rel/registry/base"')
  })

  it('comes to CONFINE’s clients in their form, at each site, in pages and compressed, too', async () => {
    const answer = await ask(confine)
    const nodes = answer.json<Node[]>()
    expect([nodes.length, nodes.at(-1)?.uri]).toEqual([count, `${site}/api/nodes/${count}/`])
    expect(nodes.at(-1)).toHaveProperty('direct_ifaces', [])
    expect(answer.headers['content-type']).toContain('profile=')
    expect(answer.headers.link).toContain(`<${site}${routes.nodes}?page=1>; rel="last"`)
    const elsewhere = await ask({ ...confine, host: 'other.example:81' }, '?per_page=2')
    expect(elsewhere.json<Node[]>()[1]?.group.uri).toBe('http://other.example:81/api/groups/1/')
    // It is the same as without texts, by a filter for which there is no column.
    const filtered = await ask(confine, '?/lends/slivers=null')
    expect(filtered.json()).toEqual(nodes)
    const gzip = { ...confine, 'accept-encoding': 'gzip' }
    const packed = gunzipSync((await ask(gzip)).rawPayload).toString()
    expect(packed).toBe(answer.body)
  })

  it('is known to CONFINE’s clients by its ETag until an object changes', async () => {
    const etag = String((await ask(confine)).headers.etag)
    const known = { ...confine, 'if-none-match': etag }
    const same = await ask(known)
    expect([same.statusCode, same.body, same.headers.etag]).toEqual([304, '', etag])
    const body = { description: 'on the roof' }
    await world.ask(world.operator, 'PATCH', '/api/nodes/1/', { body })
    const changed = await ask(known)
    expect([changed.statusCode, changed.json<Node[]>()[0]?.description]).toEqual([
      200,
      'on the roof',
    ])
  })

  it('is filtered, by the database or by the server', async () => {
    const all = await ask({}, '?/lends/slivers=null&/state="unknown"')
    expect(all.json<Node[]>().length).toBe(count - 2)
    expect((await ask({}, '?/lends/slivers=3')).json<Node[]>()).toEqual([])
  })
})

describe('a list that is too large for the memory of each reader', () => {
  it('comes whole, in order, with the members and links of a small one', async () => {
    const answer = await askIslands()
    const islands = answer.json<Island[]>()
    expect(islands.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    const [first] = (await askIslands({}, '?per_page=1')).json<Island[]>()
    expect(islands[0]).toEqual(first)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers.link).toContain('rel="http://confine-project.eu/rel/registry/base"')
  })

  it('comes to CONFINE’s clients as all their lists do, compressed when they accept it', async () => {
    const answer = await askIslands(confine)
    const islands = answer.json<Island[]>()
    const last = `${site}/api/islands/${count}/`
    expect([islands.length, islands.at(-1)?.uri]).toEqual([count, last])
    expect(answer.headers.link).toContain(`<${site}${routes.islands}?page=1>; rel="last"`)
    const url = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const headers = { accept: 'application/json' }
    const packed = await fetch(`${url}${routes.islands}`, { headers })
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(((await packed.json()) as Island[]).length).toBe(count)
  })

  it('is known by its ETag until an object changes', async () => {
    const etag = String((await askIslands(confine)).headers.etag)
    const known = { ...confine, 'if-none-match': etag }
    const same = await askIslands(known)
    expect([same.statusCode, same.body, same.headers.etag]).toEqual([304, '', etag])
    expect((await askIslands(known, '?/description=""')).statusCode).toBe(200)
    const body = { description: 'behind the hill' }
    await world.ask(world.operator, 'PATCH', '/api/islands/1/', { body })
    expect((await askIslands(known)).statusCode).toBe(200)
  })
})

it('large lists count as open streams, so that slow readers of many do not fill the memory', async () => {
  const streams = { ...defaultLimits.streams, anonymous: 0 }
  await using full = await testbeds.start({ limits: { ...defaultLimits, streams } })
  const list = (token: string | null) =>
    full.ask(token, 'GET', routes.islands, { headers: confine })
  expect((await list(null)).statusCode).toBe(200)
  await fill(full)
  const refused = await list(null)
  expect([refused.statusCode, refused.json()]).toEqual([
    429,
    expect.objectContaining({ code: 'LAB_REQUEST_TOO_MANY_STREAMS' }),
  ])
  expect((await list(full.red)).json<Island[]>().length).toBe(count)
})

it('large lists of clients who have gone while they were read do not count as open streams', async () => {
  const streams = { ...defaultLimits.streams, anonymous: 1 }
  await using full = await testbeds.start({ limits: { ...defaultLimits, streams } })
  await fill(full)
  const origin = await full.app.listen({ host: '127.0.0.1', port: 0 })
  const { db } = full.database
  const isWaiting = async () => {
    const { rows } = await sql<{
      count: number
    }>`select count(*)::int as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    return rows[0]?.count
  }
  await db.transaction().execute(async (tx) => {
    await sql`lock table islands in access exclusive mode`.execute(tx)
    const gone = request(`${origin}${routes.islands}`, { headers: { accept: acceptOf() } })
    gone.on('error', () => undefined)
    gone.end()
    await expect.poll(isWaiting, { timeout: patienceMs }).toBe(1)
    const countConnections = () =>
      new Promise<number>((resolve) => {
        full.app.server.getConnections((_error, open) => resolve(open))
      })
    gone.destroy()
    await expect.poll(countConnections, { timeout: patienceMs }).toBe(0)
  })
  await expect.poll(isWaiting, { timeout: patienceMs }).toBe(0)
  for (let again = 0; again < 2; again++)
    expect((await full.ask(null, 'GET', routes.islands)).statusCode).toBe(200)
})
