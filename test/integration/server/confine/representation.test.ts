import { gunzipSync } from 'node:zlib'
import { routes, type Node } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import type { AskOptions, Method } from '../world/world.ts'

let testbeds: Testbeds
let world: TestbedWorld
const node = '/api/nodes/1/'
const site = 'http://lab.example:8080'

/** Ask as a client of CONFINE does. */
function ask(
  method: Method,
  url: string,
  { token, ...options }: AskOptions & { token?: string } = {},
) {
  const headers = { accept: 'application/json', host: 'lab.example:8080', ...options.headers }
  return world.ask(token ?? null, method, url, { ...options, headers })
}

beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

describe('a document', () => {
  it('has absolute URIs in its members and links for clients of CONFINE', async () => {
    const { headers, body } = await ask('GET', node)
    const { uri, group } = JSON.parse(body) as Node
    expect([uri, group.uri]).toEqual([`${site}${node}`, `${site}/api/groups/${group.id}/`])
    expect(headers.link).toContain(
      `<${site}${node}ctl/reboot/>; rel="http://confine-project.eu/rel/registry/do-reboot"`,
    )
    expect(headers['content-type']).toBe(
      'application/json; profile="http://confine-project.eu/schema/registry/v1/node"',
    )
  })

  it('has paths for clients of this project', async () => {
    const { body } = await world.ask(null, 'GET', node)
    expect((JSON.parse(body) as Node).uri).toBe(node)
  })

  it('has the same ETag for both, and can be changed on its condition', async () => {
    const ours = await world.ask(null, 'GET', node)
    const { headers } = await ask('GET', node)
    expect(headers.etag).toBe(ours.headers.etag)
    const condition = { 'if-match': String(headers.etag) }
    const body = { description: 'on the roof' }
    const changed = await ask('PATCH', node, { token: world.operator, body, headers: condition })
    expect(changed.statusCode).toBe(200)
  })

  it('keeps properties that look like URIs as they are', async () => {
    const body = { properties: { uri: '/api/nodes/2/' } }
    const changed = await ask('PATCH', node, { token: world.operator, body })
    expect((JSON.parse(changed.body) as Node).properties).toEqual(body.properties)
  })
})

describe('a body', () => {
  it('that was read can be put back, and changes nothing', async () => {
    const { body: before } = await ask('GET', node)
    const body = JSON.parse(before) as object
    const put = await ask('PUT', node, { token: world.operator, body })
    expect([put.statusCode, JSON.parse(put.body)]).toEqual([200, body])
  })

  it('of a client of this project is refused for what is not known', async () => {
    const body = { propertis: {} }
    const refused = await world.ask(world.operator, 'PATCH', node, { body })
    expect(refused.json()).toMatchObject({
      code: 'LAB_REQUEST_INVALID',
      details: { issues: [{ pointer: '/propertis', message: 'is not known here' }] },
    })
  })

  it('with a property of a wrong name is refused', async () => {
    const body = { properties: { 'Wrong Name': 5 } }
    expect((await world.ask(world.operator, 'PATCH', node, { body })).statusCode).toBe(400)
    expect((await ask('PATCH', node, { token: world.operator, body })).statusCode).toBe(400)
  })
})

describe('an error', () => {
  it.each([
    ['GET', '/api/nodes/99/', 404, 'Not found'],
    ['DELETE', node, 403, 'Authentication credentials were not provided.'],
    ['POST', node, 405, "Method 'POST' not allowed."],
  ] as const)(
    'of %s %s has the body of CONFINE, with our code',
    async (method, url, status, detail) => {
      const { statusCode, body } = await ask(method, url)
      const { code, message, ...others } = JSON.parse(body) as Record<string, unknown>
      expect([statusCode, others]).toEqual([status, { detail }])
      expect([String(code).slice(0, 4), typeof message]).toEqual(['LAB_', 'string'])
    },
  )

  it('of another method names the methods that there are', async () => {
    const refused = await world.ask(null, 'POST', node)
    expect([refused.statusCode, refused.headers.allow]).toEqual([
      405,
      'GET, PUT, PATCH, DELETE, HEAD, OPTIONS',
    ])
    expect(refused.json()).toMatchObject({ code: 'LAB_REQUEST_METHOD' })
  })
})

describe('a list', () => {
  it('comes whole unless per_page is given, and a page out of range is the last one', async () => {
    const names = async (query: string) => {
      const { body, headers } = await ask('GET', `${routes.nodes}${query}`)
      return [(JSON.parse(body) as Node[]).map(({ name }) => name), String(headers.link)] as const
    }
    expect((await names('?page=7&show=/name'))[0]).toEqual(['n1', 'n2'])
    const [last, links] = await names('?per_page=1&page=9')
    expect(last).toEqual(['n2'])
    expect(links).toContain(`<${site}/api/nodes/?per_page=1&page=1>; rel="prev"`)
    expect((await names('?per_page=1&page=9&/state="production"'))[0]).toEqual(['n2'])
  })
})

it('redirects to the path with a slash, with its query', async () => {
  const { statusCode, headers } = await ask('GET', '/api/nodes?per_page=1')
  expect([statusCode, headers.location]).toEqual([301, `${site}/api/nodes/?per_page=1`])
})

it('answers HEAD as GET, without a body', async () => {
  const head = await world.app.inject({ method: 'HEAD', url: node })
  const get = await world.app.inject({ method: 'GET', url: node })
  expect([head.statusCode, head.body, head.headers.etag]).toEqual([200, '', get.headers.etag])
  expect(head.headers.link).toBe(get.headers.link)
})

it('answers OPTIONS with the methods, and a browser’s question of another origin with nothing', async () => {
  const options = await world.app.inject({ method: 'OPTIONS', url: routes.slices })
  expect([options.statusCode, options.headers.allow]).toEqual([200, 'GET, POST, HEAD, OPTIONS'])
  expect(options.json()).toMatchObject({ name: 'Slice List', renders: ['application/json'] })
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'DELETE' }
  const preflight = await world.app.inject({ method: 'OPTIONS', url: node, headers })
  expect(preflight.headers).not.toHaveProperty('access-control-allow-origin')
})

it('refuses what it cannot answer', async () => {
  const headers = { accept: 'application/xml' }
  expect((await ask('GET', node, { headers })).statusCode).toBe(406)
  const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
  expect((await ask('GET', node, { headers: browser })).statusCode).toBe(200)
})

describe('a compressed answer', () => {
  const headers = { 'accept-encoding': 'gzip' }

  it('is what everybody may read, for CONFINE’s clients who accept it, with the same ETag', async () => {
    const plain = await ask('GET', node)
    const packed = await ask('GET', node, { headers })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body)
    expect(packed.headers.etag).toBe(plain.headers.etag)
    expect([packed.headers.vary, plain.headers.vary]).toEqual(
      Array(2).fill('Origin, Accept, Accept-Encoding'),
    )
    const known = { ...headers, 'if-none-match': String(packed.headers.etag) }
    expect((await ask('GET', node, { headers: known })).statusCode).toBe(304)
  })

  it('has nothing that some may not read, and is not for clients of this project', async () => {
    const own = await ask('GET', routes.users, { token: world.operator, headers })
    expect(own.headers).not.toHaveProperty('content-encoding')
    const ours = await world.ask(null, 'GET', node, { headers })
    expect(ours.headers).not.toHaveProperty('content-encoding')
  })
})

it('shows CONFINE’s clients members of what is not here, with the one value that they have', async () => {
  expect(JSON.parse((await ask('GET', node)).body)).toMatchObject({
    direct_ifaces: [],
    cert: null,
    tinc: { addresses: [] },
  })
  const [ours] = (await world.ask(null, 'GET', routes.nodes)).json<object[]>()
  expect(ours).not.toHaveProperty('direct_ifaces')
  expect(JSON.parse((await ask('GET', routes.nodes)).body)).toMatchObject([{ cert: null }, {}])
})

it('reads filters of CONFINE’s clients in their short forms', async () => {
  const { body } = await ask('GET', `${routes.nodes}?name="n2"&state="production"`)
  expect((JSON.parse(body) as Node[]).map(({ name }) => name)).toEqual(['n2'])
})
