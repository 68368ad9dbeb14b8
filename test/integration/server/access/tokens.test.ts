import {
  path,
  routes,
  type NodeTarget,
  type Token,
  type TokenCreated,
  type User,
} from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeToken, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function makeOperator(world: TestbedWorld, name: string): Promise<void> {
  const made = await world.ask(world.operator, 'POST', routes.users, { body: { name } })
  const body = { is_superuser: true }
  await world.ask(world.operator, 'PATCH', made.json<User>().uri, { body })
}

async function whoami(world: TestbedWorld, authorization: string) {
  return world.ask(null, 'GET', routes.whoami, { headers: { authorization } })
}

describe('a token', () => {
  it('tells who asks, in the words of HTTP and of CONFINE', async () => {
    await using world = await testbeds.start()
    for (const scheme of ['Bearer', 'bearer', 'Token'])
      expect((await whoami(world, `${scheme} ${world.red}`)).json()).toMatchObject({
        role: 'researcher',
        user: { name: 'red', group_roles: [{ group: { id: 2 } }] },
        node: null,
      })
    expect((await whoami(world, `Bearer ${world.nodes[0] ?? ''}`)).json()).toEqual({
      role: 'node',
      user: null,
      node: { uri: '/api/nodes/1/', id: 1 },
    })
  })

  it('is nowhere in the database, the answers or the log once it was shown', async () => {
    await using world = await testbeds.start()
    const secret = await makeToken(world, world.operator, {
      name: 'laptop',
      role: 'researcher',
      user: 'red',
    })
    await world.ask(secret, 'GET', routes.whoami)
    await world.ask(`${secret}x`, 'GET', routes.whoami)
    await world.ask(secret, 'GET', `${routes.slices}?token=${secret}`)
    const list = await world.ask(world.operator, 'GET', routes.tokens)
    expect(list.json<Token[]>().at(-1)).toMatchObject({ name: 'laptop', user: { id: 2 } })
    const { rows } = await sql<{ text: string }>`
      select string_agg(t::text, '') || (select string_agg(e::text, '') from events e)
        || (select string_agg(n::text, '') from enrollments n) as text from tokens t`.execute(
      world.database.db,
    )
    const places = [rows[0]?.text ?? '', list.body, world.log.join('')]
    for (const token of [secret, world.operator, world.red, ...world.nodes])
      for (const place of places) {
        expect(place).not.toContain(token)
        expect(place).not.toContain(Buffer.from(token).toString('hex'))
      }
  })

  it('is refused, even where none is needed, when it is wrong, void or out of date', async () => {
    await using world = await testbeds.start()
    const made = await world.ask(world.operator, 'POST', routes.tokens, {
      body: { name: 'x', role: 'researcher', user: 'red' },
    })
    const { secret, token } = made.json<TokenCreated>()
    expect((await whoami(world, `Bearer ${secret}`)).statusCode).toBe(200)
    expect((await world.ask(world.operator, 'DELETE', token.uri)).statusCode).toBe(204)
    const old = await makeToken(world, world.operator, {
      name: 'old',
      role: 'researcher',
      user: 'red',
      expires_on: '2020-01-01T00:00:00Z',
    })
    const wrong = [secret, old, 'clr_0000000000000000000000000000000000000000000', 'short']
    for (const each of wrong) {
      const response = await world.ask(each, 'GET', routes.nodes)
      expect(response.statusCode).toBe(401)
      expect(response.headers['www-authenticate']).toBe('Bearer')
      expect(response.json()).toMatchObject({ code: 'LAB_AUTH_INVALID_TOKEN' })
    }
    expect((await whoami(world, 'Basic cmVkOnJlZA==')).statusCode).toBe(401)
  })

  it('is made for a user while others are made for the same user', async () => {
    await using world = await testbeds.start()
    const make = (name: string) => {
      const body = { name, role: 'operator', user: 'operator' }
      return world.ask(world.operator, 'POST', routes.tokens, { body })
    }
    const names = Array.from({ length: 12 }, (_, nr) => `device-${nr}`)
    const made = await Promise.all(names.map(make))
    expect(made.map(({ statusCode }) => statusCode)).toEqual(names.map(() => 201))
  })

  it('shows when it was last used', async () => {
    await using world = await testbeds.start()
    const lastUsed = async (id: number) => {
      const list = await world.ask(world.operator, 'GET', routes.tokens)
      return list.json<Token[]>().find((token) => token.id === id)?.last_used_on
    }
    const made = await world.ask(world.operator, 'POST', routes.tokens, {
      body: { name: 'x', role: 'researcher', user: 'red' },
    })
    const { secret, token } = made.json<TokenCreated>()
    expect(await lastUsed(token.id)).toBeNull()
    await world.ask(secret, 'GET', routes.slices)
    expect(await lastUsed(token.id)).toMatch(/^\d{4}-/u)
  })
})

describe('a token’s end', () => {
  const make = async (world: TestbedWorld, body: object) =>
    (await world.ask(world.operator, 'POST', routes.tokens, { body })).json<TokenCreated>()

  it('is a year away for a researcher’s and never comes for an operator’s, unless said otherwise', async () => {
    await using world = await testbeds.start()
    const researcher = { name: 'x', role: 'researcher', user: 'red' }
    const { token } = await make(world, researcher)
    const days = (Date.parse(token.expires_on ?? '') - Date.now()) / (24 * 3600 * 1000)
    expect(days).toBeCloseTo(365, 1)
    const endless = await make(world, { ...researcher, expires_on: null })
    expect(endless.token.expires_on).toBeNull()
    const operator = await make(world, { name: 'x', role: 'operator', user: 'operator' })
    expect(operator.token.expires_on).toBeNull()
  })

  it.each(['+275760-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '1969-12-31T23:59:59Z', 'tomorrow'])(
    'is not %s',
    async (expires_on) => {
      await using world = await testbeds.start()
      const body = { name: 'x', role: 'researcher', user: 'red', expires_on }
      const refused = await world.ask(world.operator, 'POST', routes.tokens, { body })
      expect(refused.json()).toMatchObject({
        status: 400,
        details: { issues: [{ pointer: '/expires_on' }] },
      })
    },
  )
})

describe('the last operator', () => {
  const operatorToken = async (world: TestbedWorld) => {
    const list = await world.ask(world.operator, 'GET', routes.tokens)
    return list.json<Token[]>().find(({ role }) => role === 'operator')
  }
  const remove = (world: TestbedWorld, uri = '') => world.ask(world.operator, 'DELETE', uri)

  it('cannot be locked out: neither the token nor the user goes', async () => {
    await using world = await testbeds.start()
    const { uri, user } = (await operatorToken(world)) ?? {}
    // One that only reads, and one that ends, let nobody in for good.
    await makeOperator(world, 'ops')
    const spec = { name: 'x', role: 'operator', user: 'ops' }
    await makeToken(world, world.operator, { ...spec, scope: 'read' })
    await makeToken(world, world.operator, { ...spec, expires_on: '2099-01-01T00:00:00Z' })
    for (const each of [uri, user?.uri])
      expect((await remove(world, each)).json()).toMatchObject({
        status: 409,
        code: 'LAB_AUTH_LAST_OPERATOR',
      })
    expect((await whoami(world, `Bearer ${world.operator}`)).statusCode).toBe(200)
    await makeToken(world, world.operator, spec)
    expect((await remove(world, uri)).statusCode).toBe(204)
    expect((await whoami(world, `Bearer ${world.operator}`)).statusCode).toBe(401)
  })

  it('cannot be locked out by two who remove each other at once', async () => {
    await using world = await testbeds.start()
    const { uri } = (await operatorToken(world)) ?? {}
    await makeOperator(world, 'ops')
    const body = { name: 'x', role: 'operator', user: 'ops' }
    const made = await world.ask(world.operator, 'POST', routes.tokens, { body })
    const { secret, token } = made.json<TokenCreated>()
    const answers = await Promise.all([
      remove(world, token.uri),
      world.ask(secret, 'DELETE', uri ?? ''),
    ])
    // The second one is refused as the last, or because its own token is gone already.
    const codes = answers.map(({ statusCode }) => statusCode)
    expect(codes.filter((code) => code === 204)).toHaveLength(1)
    expect([401, 409]).toContain(codes.find((code) => code !== 204))
    const survivor = codes[0] === 204 ? world.operator : secret
    expect((await whoami(world, `Bearer ${survivor}`)).statusCode).toBe(200)
  })
})

describe('an SSH key', () => {
  it('is taken away by its user and by operators, and reaches slivers no more', async () => {
    await using world = await testbeds.start()
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYg red@laptop'
    const body = { auth_token: key }
    const spec = { name: 'mine', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body: spec })
    const authorized = async () => {
      const url = path(routes.nodeTarget, { id: 1 })
      const target = await world.ask(world.nodes[0] ?? '', 'GET', url)
      return target.json<NodeTarget>().slivers[0]?.ssh_authorized_keys
    }
    const remove = (token: string, more: object = {}) =>
      world.ask(token, 'POST', routes.removeAuthToken, { body: { ...body, ...more } })
    for (const [token, more] of [
      [world.red, {}],
      [world.operator, { user: 2 }],
    ] as const) {
      await world.ask(world.red, 'POST', routes.addAuthToken, { body })
      expect(await authorized()).toEqual([key])
      expect((await remove(world.blue, { user: 2 })).statusCode).toBe(403)
      expect((await remove(token, more)).json()).toMatchObject({ name: 'red', auth_tokens: [] })
      expect(await authorized()).toEqual([])
    }
  })

  it('reaches the targets of the nodes where the group has slivers, once', async () => {
    await using world = await testbeds.start()
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvYg red@laptop'
    const spec = { name: 'mine', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body: spec })
    const hints: number[] = []
    world.context.registry.onTargetChanged((nodeId) => hints.push(nodeId))
    for (const _ of [1, 2]) {
      const added = await world.ask(world.red, 'POST', routes.addAuthToken, {
        body: { auth_token: key },
      })
      expect(added.json()).toMatchObject({ name: 'red', auth_tokens: [key] })
    }
    expect(hints).toEqual([1])
    const target = await world.ask(world.nodes[0] ?? '', 'GET', path(routes.nodeTarget, { id: 1 }))
    expect(target.json()).toMatchObject({ slivers: [{ ssh_authorized_keys: [key] }] })
  })

  it.each([
    ['two lines', 'ssh-ed25519 AAAA a\nssh-ed25519 BBBB b'],
    ['options', 'command="reboot" ssh-ed25519 AAAA a'],
    ['no key', 'hello'],
  ])('of %s is refused', async (_, key) => {
    await using world = await testbeds.start()
    const added = await world.ask(world.red, 'POST', routes.addAuthToken, {
      body: { auth_token: key },
    })
    expect(added.statusCode).toBe(400)
    expect(added.json()).toMatchObject({ details: { issues: [{ pointer: '/auth_token' }] } })
  })
})

describe('a page of another origin', () => {
  const from = (origin: string) => ({ headers: { origin, host: 'lab.example' } })

  it('reads what is public and changes nothing', async () => {
    await using world = await testbeds.start({ origins: ['https://friend.example'] })
    const reboot = path(routes.nodeReboot, { id: 1 })
    const foreign = from('https://evil.example')
    expect((await world.ask(null, 'GET', routes.nodes, foreign)).statusCode).toBe(200)
    const refused = await world.ask(world.operator, 'POST', reboot, foreign)
    expect(refused.statusCode).toBe(403)
    expect(refused.json()).toMatchObject({ code: 'LAB_AUTH_FOREIGN_ORIGIN' })
    for (const origin of ['https://friend.example', 'http://lab.example'])
      expect((await world.ask(world.operator, 'POST', reboot, from(origin))).statusCode).toBe(202)
  })
})
