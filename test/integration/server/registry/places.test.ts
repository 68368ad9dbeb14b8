import { generateKeyPairSync } from 'node:crypto'
import {
  path,
  routes,
  type Host,
  type Island,
  type Node,
  type Server,
} from '@community-lab/contract'
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())
beforeEach(async () => {
  world = await testbeds.start()
})
afterEach(() => world[Symbol.asyncDispose]())

const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
/** A public key as OpenSSL writes it. */
const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()

async function make<T>(token: string, route: string, body: object): Promise<T> {
  const answer = await world.ask(token, 'POST', route, { body })
  expect([answer.statusCode, answer.body]).toEqual([201, expect.any(String)])
  return answer.json<T>()
}
async function read<T>(uri: string): Promise<T> {
  return (await world.ask(null, 'GET', uri)).json<T>()
}
const hostNames = async () =>
  (await world.context.registry.tincHosts())
    .map(({ name }) => name)
    .filter((each) => !each.startsWith('node_'))

describe('an island', () => {
  it('is named by nodes, servers and hosts, which lists find by it; removed, they are on none', async () => {
    const { operator, red } = world
    const island = await make<Island>(operator, routes.islands, { name: 'valley' })
    const on = { island: { id: island.id } }
    const put = (url: string) => world.ask(operator, 'PATCH', url, { body: on })
    await put(path(routes.node, { id: 1 }))
    await put(path(routes.server, { id: 2 }))
    const host = await make<Host>(red, routes.hosts, { name: 'laptop', ...on })
    const ref = { uri: island.uri, id: island.id }
    expect(host.island).toEqual(ref)
    const filter = `?/island/id=${island.id}`
    const found = async (route: string) =>
      (await read<{ id: number; island: unknown }[]>(route + filter)).map((one) => [
        one.id,
        one.island,
      ])
    expect(await found(routes.nodes)).toEqual([[1, ref]])
    expect(await found(routes.servers)).toEqual([[2, ref]])
    expect(await found(routes.hosts)).toEqual([[host.id, ref]])
    const gone = await world.ask(operator, 'DELETE', island.uri)
    expect(gone.statusCode).toBe(204)
    for (const uri of [host.uri, path(routes.node, { id: 1 }), path(routes.server, { id: 2 })])
      expect(await read(uri)).toMatchObject({ island: null })
    const missing = await world.ask(operator, 'PATCH', path(routes.node, { id: 1 }), { body: on })
    expect([missing.statusCode, missing.json()]).toEqual([
      404,
      expect.objectContaining({
        code: 'LAB_NOT_FOUND',
        details: { kind: 'island', id: String(island.id) },
      }),
    ])
  })

  it('keeps the changes of others: what was read before is refused by its ETag', async () => {
    const island = await make<Island>(world.operator, routes.islands, { name: 'valley' })
    const before = await world.ask(null, 'GET', island.uri)
    const headers = { 'if-match': String(before.headers.etag) }
    const change = (description: string) =>
      world.ask(world.operator, 'PATCH', island.uri, { body: { description }, headers })
    expect((await change('between two hills')).statusCode).toBe(200)
    expect((await change('in the south')).statusCode).toBe(412)
  })
})

describe('a host', () => {
  it('has an address of the plan, and joins with a key in either format of PEM', async () => {
    for (const [name, pubkey] of [
      ['x501', spki],
      ['pkcs1', pkcs1],
    ] as const) {
      const host = await make<Host>(world.red, routes.hosts, { name, tinc: { pubkey } })
      expect(host).toMatchObject({
        owner: { id: 2 },
        mgmt_net: { backend: 'tinc', addr: `fd65:fc41:c50f:0:2000::${host.id}` },
        tinc: { name: `host_${host.id}`, pubkey: pkcs1 },
      })
      const [joined] = await world.context.registry.tincHosts([`host_${host.id}`])
      expect(joined).toEqual({
        name: `host_${host.id}`,
        pubkey: pkcs1,
        subnets: [`fd65:fc41:c50f:0:2000::${host.id}/128`],
      })
    }
  })

  it('is refused with what is no RSA public key, and none of it is repeated', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    const edwards = generateKeyPairSync('ed25519').publicKey
    const pem = { type: 'spki', format: 'pem' } as const
    const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const pubkey of [secret, small.export(pem), edwards.export(pem), 'ssh-rsa AAAA']) {
      const answer = await world.ask(world.red, 'POST', routes.hosts, {
        body: { name: 'x', tinc: { pubkey } },
      })
      expect([answer.statusCode, answer.json()]).toEqual([
        400,
        expect.objectContaining({ code: 'LAB_REQUEST_INVALID' }),
      ])
      expect(answer.body).not.toContain('PRIVATE')
    }
  })

  it('may not join while its owner is disabled, and is removed with its owner', async () => {
    const changed: string[] = []
    world.context.registry.onTincHostsChanged((names) => void changed.push(...names))
    const host = await make<Host>(world.red, routes.hosts, {
      name: 'laptop',
      tinc: { pubkey: spki },
    })
    const owner = path(routes.user, { id: host.owner.id })
    const setActive = (isActive: boolean) =>
      world.ask(world.operator, 'PATCH', owner, { body: { is_active: isActive } })
    expect(await hostNames()).toEqual([host.tinc.name])
    await setActive(false)
    expect(await hostNames()).toEqual([])
    await setActive(true)
    expect(await hostNames()).toEqual([host.tinc.name])
    const removed = await world.ask(world.operator, 'DELETE', owner)
    expect([removed.statusCode, removed.body]).toEqual([204, ''])
    expect((await world.ask(null, 'GET', host.uri)).statusCode).toBe(404)
    expect(await hostNames()).toEqual([])
    expect(changed).toEqual(Array.from({ length: 4 }, () => host.tinc.name))
  })

  it('is one of at most 20 of a user, also with requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 25 }, (_, index) =>
        world.ask(world.red, 'POST', routes.hosts, { body: { name: `laptop${index}` } }),
      ),
    )
    const codes = answers.map((answer) => answer.json<{ code?: string }>().code ?? 'made')
    expect(codes.filter((code) => code === 'made')).toHaveLength(20)
    expect(codes.filter((code) => code === 'LAB_ACCESS_TOO_MANY')).toHaveLength(5)
  })

  it('gives its event and its entry in the audit trail', async () => {
    const { red, operator } = world
    const host = await make<Host>(red, routes.hosts, { name: 'laptop' })
    await world.ask(red, 'DELETE', host.uri)
    const { db } = world.database
    const events = await db
      .selectFrom('events')
      .select(['kind', 'action', 'object_id'])
      .where('kind', '=', 'host')
      .execute()
    expect(events).toEqual([
      { kind: 'host', action: 'created', object_id: String(host.id) },
      { kind: 'host', action: 'deleted', object_id: String(host.id) },
    ])
    const audit = await world.ask(operator, 'GET', `${routes.audit}?/kind="host"`)
    expect(audit.json()).toMatchObject([
      { user_name: 'red', right: 'register a host', action: 'created' },
      { user_name: 'red', right: 'remove a host', action: 'deleted' },
    ])
  })
})

describe('the server that answers', () => {
  it('describes itself, and its description follows from its settings', async () => {
    const own = await read<Server>(path(routes.server, { id: 2 }))
    expect(own).toMatchObject({
      mgmt_net: { addr: 'fd65:fc41:c50f::2' },
      api: [
        { type: 'registry', base_uri: 'https://[2001:db8::1]:8443/api/' },
        { type: 'controller', base_uri: 'https://[2001:db8::1]:8443/api/' },
      ],
      tinc: { name: 'server_2', addresses: [{ addr: '2001:db8::1', port: 655 }] },
    })
    expect(own.tinc.pubkey).toContain('BEGIN RSA PUBLIC KEY')
    const change = (body: object) =>
      world.ask(world.operator, 'PUT', path(routes.server, { id: 2 }), { body })
    const renamed = await change({ name: 'main', properties: { city: 'Vic' }, api: own.api })
    expect(renamed.json()).toMatchObject({ name: 'main', properties: { city: 'Vic' } })
    for (const body of [{ api: [] }, { tinc: null }])
      expect((await change(body)).json()).toMatchObject({ code: 'LAB_SERVER_ITSELF' })
  })

  it('cannot be removed; another one can', async () => {
    const { operator } = world
    const refused = await world.ask(operator, 'DELETE', path(routes.server, { id: 2 }))
    expect([refused.statusCode, refused.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'LAB_SERVER_ITSELF' }),
    ])
    const body = { name: 'second', tinc: { pubkey: spki } }
    const other = await make<Server>(operator, routes.servers, body)
    expect(other).toMatchObject({ id: 3, mgmt_net: { addr: 'fd65:fc41:c50f::3' }, api: [] })
    expect(await hostNames()).toEqual(['server_3'])
    expect((await world.ask(operator, 'DELETE', other.uri)).statusCode).toBe(204)
    expect(await hostNames()).toEqual([])
  })
})

it('shows where the community network’s database describes a node', async () => {
  const cn = { app_url: 'https://example.org/nodes/7', cndb_uri: 'https://example.org/api/nodes/7' }
  const url = path(routes.node, { id: 1 })
  const change = (body: object) => world.ask(world.operator, 'PATCH', url, { body })
  await change({ cn })
  expect((await read<Node>(url)).cn).toEqual(cn)
  const script = await change({ cn: { ...cn, app_url: 'javascript:alert(1)' } })
  expect(script.json()).toMatchObject({ code: 'LAB_REQUEST_INVALID' })
  await change({ cn: null })
  expect((await read<Node>(url)).cn).toBeNull()
})
