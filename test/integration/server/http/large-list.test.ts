import { routes, type Node } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../../../server/src/http/limits.ts'
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
}

/** Clients of CONFINE. What this project's clients get of nodes is kept as text. */
const confine = { accept: 'application/json', host: 'lab.example' }

function ask(headers: Readonly<Record<string, string>> = {}, query = '') {
  return world.ask(null, 'GET', `${routes.nodes}${query}`, { headers })
}

describe('a list that is too large for the memory of each reader', () => {
  it('comes whole, in order, with the members and links of a small one', async () => {
    const answer = await ask()
    const nodes = answer.json<Node[]>()
    expect(nodes.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    const [first] = (await ask({}, '?per_page=1')).json<Node[]>()
    expect(nodes[0]).toEqual(first)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.headers.link).toContain('rel="http://confine-project.eu/rel/registry/base"')
  })

  it('comes to CONFINE’s clients as all their lists do, compressed when they accept it', async () => {
    const site = 'http://lab.example'
    const answer = await ask(confine)
    const nodes = answer.json<Node[]>()
    expect([nodes.length, nodes.at(-1)?.uri]).toEqual([count, `${site}/api/nodes/${count}/`])
    expect(nodes.at(-1)).toHaveProperty('direct_ifaces', [])
    expect(answer.headers.link).toContain(`<${site}${routes.nodes}?page=1>; rel="last"`)
    const url = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const packed = await fetch(`${url}${routes.nodes}`, { headers: { accept: 'application/json' } })
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(((await packed.json()) as Node[]).length).toBe(count)
  })

  it('is known by its ETag until an object changes', async () => {
    const etag = String((await ask(confine)).headers.etag)
    const known = { ...confine, 'if-none-match': etag }
    const same = await ask(known)
    expect([same.statusCode, same.body, same.headers.etag]).toEqual([304, '', etag])
    expect((await ask(known, '?/arch="x86_64"')).statusCode).toBe(200)
    const body = { description: 'on the roof' }
    await world.ask(world.operator, 'PATCH', '/api/nodes/1/', { body })
    expect((await ask(known)).statusCode).toBe(200)
  })

  it('is filtered, by the database or by the server', async () => {
    const all = await ask({}, '?/lends/slivers=null&/state="unknown"')
    expect(all.json<Node[]>().length).toBe(count - 2)
    expect((await ask({}, '?/lends/slivers=3')).json<Node[]>()).toEqual([])
  })
})

it('large lists count as open streams, so that slow readers of many do not fill the memory', async () => {
  const streams = { ...defaultLimits.streams, anonymous: 0 }
  await using full = await testbeds.start({ limits: { ...defaultLimits, streams } })
  const list = (token: string | null) => full.ask(token, 'GET', routes.nodes, { headers: confine })
  expect((await list(null)).statusCode).toBe(200)
  await fill(full)
  const refused = await list(null)
  expect([refused.statusCode, refused.json()]).toEqual([
    429,
    expect.objectContaining({ code: 'LAB_REQUEST_TOO_MANY_STREAMS' }),
  ])
  expect((await list(full.red)).json<Node[]>().length).toBe(count)
})
