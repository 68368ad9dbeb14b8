import { routes, type Node } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { batchSize, readAll } from '../../../../server/src/http/read-all.ts'
import {
  listAgreements,
  listGroups,
  listRequests,
  listTokens,
  listUsers,
} from '../../../../server/src/registry/read/access-lists.ts'
import { listAudit } from '../../../../server/src/registry/read/audit.ts'
import {
  listNodes,
  listSlices,
  listSlivers,
  listTemplates,
} from '../../../../server/src/registry/read/lists.ts'
import type { ListSource } from '../../../../server/src/registry/read/list-source.ts'
import {
  listHosts,
  listIslands,
  listServers,
} from '../../../../server/src/registry/read/place-lists.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  // Read only, and so shared.
  world = await testbeds.start()
  for (const name of ['alpha', 'beta', 'gamma'])
    await world.ask(world.operator, 'POST', routes.nodes, {
      body: { name, properties: { roof: name === 'alpha' ? 'flat' : 'steep' } },
    })
  const body = { name: 'mine', template: 'tiny', nodes: ['n1', 'n2'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  await world.ask(world.operator, 'POST', routes.agreements, { body: { text: 'Be kind.' } })
  const island = { name: 'valley', description: 'low' }
  await world.ask(world.operator, 'POST', routes.islands, { body: island })
  const laptop = { name: 'laptop', island: { id: 1 } }
  await world.ask(world.red, 'POST', routes.hosts, { body: laptop })
  const join = { kind: 'join', group: { id: 3 } }
  await world.ask(world.red, 'POST', routes.requests, { body: join })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

/** The targets of a Link header by relation, of those relations that begin so. */
function readLinks(header: unknown, prefix: string): Record<string, string> {
  const found = String(header).matchAll(/<([^>]+)>; rel="([^"]+)"/gu)
  const links: Record<string, string> = {}
  for (const [, target = '', relation = ''] of found)
    if (relation.startsWith(prefix)) links[relation.slice(prefix.length)] = target
  return links
}

async function names(query: string): Promise<string[]> {
  const response = await world.ask(null, 'GET', `${routes.nodes}?${query}`)
  return response.json<Node[]>().map(({ name }) => name)
}

describe('a list', () => {
  it.each([
    ['/state="production"', ['n1', 'n2']],
    ['/state=%22unknown%22&/properties/roof=%22steep%22', ['beta', 'gamma']],
    ['/id=4', ['beta']],
    ['/group/id=1', ['n1', 'n2', 'alpha', 'beta', 'gamma']],
    ['/slivers/_/id="1@2"', ['n2']],
    ['/tinc/pubkey=null', ['alpha', 'beta', 'gamma']],
    ['/name="nobody"', []],
    ['/name=["beta","n2","nobody"]', ['n2', 'beta']],
    ['/id=[1,4]&/group/id=1', ['n1', 'beta']],
    ['room={}', ['n1', 'n2']],
    ['room={"memory":512}', ['n1', 'n2']],
    ['room={"memory":513}', []],
    ['room={"cpu":201}', []],
  ])('is filtered by %s', async (query, expected) => {
    expect(await names(query)).toEqual(expected)
  })

  it.each([
    '/stat="production"',
    '/id="4"',
    '/state=production',
    'state="production"',
    '/id=4.5',
    '/id=[]',
    '/id=[1,"2"]',
    '/id=[[1]]',
  ])('refuses %s, which it could only get wrong', async (query) => {
    const response = await world.ask(null, 'GET', `${routes.nodes}?${query}`)
    expect(response.statusCode).toBe(422)
    expect(response.json()).toMatchObject({ code: 'LAB_REQUEST_UNKNOWN_FILTER' })
    expect(response.json<{ details: { known: string[] } }>().details.known).toContain('/state')
  })

  it('comes in pages when asked, with links between them', async () => {
    const page = async (query: string) => {
      const response = await world.ask(null, 'GET', `${routes.nodes}?${query}`)
      return {
        names: response.json<Node[]>().map(({ name }) => name),
        links: readLinks(response.headers.link, ''),
      }
    }
    const url = (number: number) => `/api/nodes/?per_page=2&page=${number}`
    expect(await page('per_page=2')).toEqual({
      names: ['n1', 'n2'],
      links: {
        first: url(1),
        last: url(3),
        next: url(2),
        'http://confine-project.eu/rel/registry/base': '/api/',
        'http://confine-project.eu/rel/controller/base': '/api/',
      },
    })
    expect(await page('per_page=2&page=2')).toMatchObject({
      names: ['alpha', 'beta'],
      links: { prev: url(1), next: url(3) },
    })
    expect(await page('per_page=2&page=9')).toMatchObject({ names: [], links: { prev: url(3) } })
    expect((await page('/state="unknown"&page=1')).names).toEqual(['alpha', 'beta', 'gamma'])
  })

  it.each(['page=0', 'page=x', 'per_page=1001'])('refuses %s', async (query) => {
    const response = await world.ask(null, 'GET', `${routes.nodes}?${query}`)
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([
      400,
      'LAB_REQUEST_INVALID',
    ])
  })
})

/** Every member of an object, as a filter has it: a pointer, with `_` for each member of a list, and a value. */
function leaves(object: unknown, pointer = ''): { pointer: string; value: unknown }[] {
  if (typeof object !== 'object' || object === null) return [{ pointer, value: object }]
  return Object.entries(object).flatMap(([name, member]) =>
    leaves(member, `${pointer}/${Array.isArray(object) ? '_' : name}`),
  )
}

describe('a filter', () => {
  it.each([
    routes.nodes,
    routes.slices,
    routes.slivers,
    routes.templates,
    routes.groups,
    routes.users,
    routes.tokens,
    routes.agreements,
    routes.requests,
    routes.audit,
    routes.servers,
    routes.islands,
    routes.hosts,
  ])(
    'of %s finds what the objects say, whether the database has a column for it or not',
    async (list) => {
      const read = async (query = '') =>
        (await world.ask(world.operator, 'GET', `${list}?${query}`)).json<
          { id: string | number }[]
        >()
      const all = await read()
      const known = new Map(
        all.flatMap((object) =>
          leaves(object).map(({ pointer, value }) => [
            `${pointer}=${JSON.stringify(value)}`,
            value,
          ]),
        ),
      )
      // When a node was last heard of, and a token last used, changes as we ask.
      const asked = [...known.keys()].filter((filter) => !/^\/last_(seen|used)_on/u.test(filter))
      expect(asked.length).toBeGreaterThan(3)
      for (const filter of asked) {
        const [name = ''] = filter.split('=', 1)
        const query = `${name}=${encodeURIComponent(filter.slice(name.length + 1))}`
        const expected = all.filter((object) =>
          leaves(object).some((leaf) => `${leaf.pointer}=${JSON.stringify(leaf.value)}` === filter),
        )
        const ids = (objects: { id: string | number }[]) => objects.map(({ id }) => id)
        expect([filter, ids(await read(query))]).toEqual([filter, ids(expected)])
        const paged = await read(`${query}&per_page=1&page=${expected.length}`)
        expect([filter, ids(paged)]).toEqual([filter, ids(expected.slice(-1))])
      }
    },
  )

  it.each(['/id=99999999999', '/id=0', '/slivers/_/id="9999999999@1"', '/slivers/_/id="x"'])(
    '%s that nothing can have finds nothing',
    async (query) => {
      expect(await names(query)).toEqual([])
    },
  )

  it.each(['room=256', 'room={"memory":"256"}', 'room={"ram":1}', 'room={"memory":0}'])(
    '%s is refused with what it can be',
    async (query) => {
      const response = await world.ask(null, 'GET', `${routes.nodes}?${query}`)
      expect([response.statusCode, response.body]).toEqual([
        400,
        expect.stringContaining('amounts of memory and disk in MiB'),
      ])
    },
  )

  it('room is given once: strangers could let the database compute it 1,500 times', async () => {
    const response = await world.ask(null, 'GET', `${routes.nodes}?room={}&room={}`)
    expect([response.statusCode, response.body]).toEqual([
      400,
      expect.stringContaining('must be given once'),
    ])
  })

  it('with a character that no text has is refused', async () => {
    const response = await world.ask(null, 'GET', `${routes.nodes}?/name="a%5Cu0000"`)
    expect(response.statusCode).toBe(422)
  })
})

describe('CONFINE’s Link relations', () => {
  const links = async (url: string) => {
    const { headers } = await world.ask(null, 'GET', url)
    return readLinks(headers.link, 'http://confine-project.eu/rel/')
  }

  it('lead from the base to every list, which is there', async () => {
    const found = await links(routes.base)
    expect(Object.keys(found).sort()).toEqual(
      [
        'registry/base',
        ...['agreement', 'group', 'host', 'island', 'node', 'request', 'server', 'slice'].map(
          (kind) => `registry/${kind}-list`,
        ),
        ...['sliver', 'template', 'user', 'journal'].map((kind) => `registry/${kind}-list`),
        'controller/baseimage-list',
        'controller/do-get-auth-token',
      ].sort(),
    )
    expect(found['controller/do-get-auth-token']).toBe(routes.getAuthToken)
    for (const url of Object.values(found).filter((each) => each !== routes.getAuthToken))
      expect((await world.ask(world.red, 'GET', url)).statusCode).toBe(200)
  })

  it('lead from an object to the base, to its list and to its functions, called by POST with a null body', async () => {
    expect(await links('/api/nodes/1/')).toEqual({
      'registry/base': '/api/',
      'controller/base': '/api/',
      'registry/node-list': '/api/nodes/',
      'registry/do-reboot': '/api/nodes/1/ctl/reboot/',
      'controller/state': '/api/nodes/1/ctl/state/',
      'controller/history': '/api/nodes/1/ctl/history/',
      'controller/availability': '/api/nodes/1/ctl/availability/',
    })
    expect(await links('/api/slices/1/')).toEqual({
      'registry/base': '/api/',
      'controller/base': '/api/',
      'registry/slice-list': '/api/slices/',
      'registry/do-renew': '/api/slices/1/ctl/renew/',
      'registry/do-reset': '/api/slices/1/ctl/reset/',
      'controller/do-upload-data': '/api/slices/1/ctl/upload-data/',
    })
    const { 'registry/do-update': update = '' } = await links('/api/slivers/1@1/')
    const headers = { 'content-type': 'application/json' }
    const called = await world.ask(world.red, 'POST', update, { body: 'null', headers })
    expect(called.statusCode).toBe(202)
    expect(called.json()).toMatchObject({ id: '1@1', instance_sn: 1 })
  })
})

describe('a list that the database cannot filter', () => {
  const everything = sql<boolean>`true`

  it('tells of every object once, whatever goes while it is read', async () => {
    await using own = await testbeds.start()
    const { db } = own.database
    await sql`insert into groups (name, description)
      select 'group ' || nr, '' from generate_series(1, ${batchSize + 100}) nr`.execute(db)
    const groups = listGroups(own.context.registry)
    const before = (await groups.read({ where: everything })).map(({ id }) => id)
    const seen: number[] = []
    for await (const { id } of readAll(groups, everything)) {
      seen.push(id)
      // Gone before the second batch is read.
      if (seen.length === 3)
        await sql`delete from groups where name in ('group 1', 'group 2')`.execute(db)
    }
    expect(seen).toEqual(before)
  })

  it.each<[string, () => ListSource<unknown>]>([
    ['nodes', () => listNodes(world.context.registry)],
    ['slices', () => listSlices(world.context.registry)],
    ['slivers', () => listSlivers(world.context.registry)],
    ['templates', () => listTemplates(world.context.registry)],
    ['groups', () => listGroups(world.context.registry)],
    ['users', () => listUsers(world.context.registry, 'all')],
    ['tokens', () => listTokens(world.context.registry, 'anybody')],
    ['requests', () => listRequests(world.context.registry, 'all')],
    ['agreements', () => listAgreements(world.context.registry)],
    ['the audit trail', () => listAudit(world.context.registry)],
    ['servers', () => listServers(world.context.registry)],
    ['islands', () => listIslands(world.context.registry)],
    ['hosts', () => listHosts(world.context.registry)],
  ])('of %s goes on after any of its objects', async (_kind, list) => {
    const source = list()
    const all = await source.read({ where: everything })
    for (const [at, object] of all.entries())
      expect(await source.read({ where: source.after(object) })).toEqual(all.slice(at + 1))
  })
})
