import { path, routes } from '@community-lab/contract'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessPlugin } from '../../../../server/src/access/access.ts'
import {
  aReport,
  image,
  makeToken,
  startTestbeds,
  type TestbedWorld,
  type Testbeds,
} from '../world/testbed.ts'
import type { Method } from '../world/world.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

/** `red` is of the group that owns the slice asked about, `blue` of another; `node` is n1, which the request is about. */
const askers = ['anonymous', 'node', 'blue', 'red', 'operator'] as const
type Asker = (typeof askers)[number]

interface Case {
  readonly method: Method
  readonly route: string
  /** Who may; the others get 401 without a token and 403 with one. */
  readonly may: readonly Asker[]
  readonly id?: string | number
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

const everybody = askers
const people: readonly Asker[] = ['blue', 'red', 'operator']
const owners: readonly Asker[] = ['red', 'operator']
const operators: readonly Asker[] = ['operator']
const itself: readonly Asker[] = ['node']
const spec = { name: 'other', template: 'tiny', nodes: ['n2'] }
const gzip = { 'content-type': 'application/gzip' }
const key = { auth_token: 'ssh-ed25519 AAAA me' }
const token = { name: 't', role: 'researcher', user: 'red' }

const cases: readonly Case[] = [
  ...[
    routes.base,
    routes.nodes,
    routes.templates,
    routes.slices,
    routes.slivers,
    routes.groups,
  ].map((route) => ({ method: 'GET', route, may: everybody }) as const),
  ...[routes.node, routes.template, routes.slice, routes.group].map(
    (route) => ({ method: 'GET', route, id: 1, may: everybody }) as const,
  ),
  { method: 'GET', route: routes.sliver, id: '1@1', may: everybody },
  { method: 'GET', route: routes.templateImage, id: 1, may: everybody },
  { method: 'GET', route: routes.health, may: everybody },
  { method: 'GET', route: routes.measurements, may: everybody },
  { method: 'GET', route: routes.users, may: people },
  { method: 'GET', route: routes.user, id: 1, may: people },
  { method: 'GET', route: routes.whoami, may: ['node', ...people] },
  { method: 'GET', route: routes.tokens, may: operators },
  { method: 'GET', route: routes.nodeTarget, id: 1, may: itself },
  { method: 'GET', route: routes.sliverSsh, id: '1@1', may: owners },
  { method: 'GET', route: routes.nodeStream, id: 1, may: itself },

  { method: 'POST', route: routes.nodes, body: { name: 'n3' }, may: operators },
  { method: 'PATCH', route: routes.node, id: 1, body: { description: 'x' }, may: operators },
  { method: 'PUT', route: routes.node, id: 1, body: { description: 'x' }, may: operators },
  { method: 'DELETE', route: routes.node, id: 1, may: operators },
  { method: 'POST', route: routes.nodeReboot, id: 1, may: operators },
  { method: 'POST', route: routes.nodeEnrollmentToken, id: 1, may: operators },
  { method: 'POST', route: routes.nodeRevoke, id: 1, may: operators },
  { method: 'PUT', route: routes.nodeState, id: 1, body: aReport(), may: itself },

  { method: 'POST', route: routes.slices, body: { name: 'other' }, may: people },
  { method: 'PUT', route: routes.sliceEnsure, body: spec, may: people },
  { method: 'PATCH', route: routes.slice, id: 1, body: { set_state: 'deploy' }, may: owners },
  { method: 'PUT', route: routes.slice, id: 1, body: { description: 'x' }, may: owners },
  { method: 'DELETE', route: routes.slice, id: 1, may: owners },
  { method: 'POST', route: routes.sliceRenew, id: 1, may: owners },
  { method: 'POST', route: routes.sliceReset, id: 1, may: owners },
  {
    method: 'POST',
    route: routes.slivers,
    body: { slice: { id: 1 }, node: { id: 2 } },
    may: owners,
  },
  { method: 'PATCH', route: routes.sliver, id: '1@1', body: { set_state: null }, may: owners },
  { method: 'PUT', route: routes.sliver, id: '1@1', body: { description: 'x' }, may: owners },
  { method: 'DELETE', route: routes.sliver, id: '1@1', may: owners },
  { method: 'POST', route: routes.sliverUpdate, id: '1@1', may: owners },

  {
    method: 'POST',
    route: routes.templates,
    body: { name: 'big', node_archs: ['x86_64'] },
    may: operators,
  },
  { method: 'PATCH', route: routes.template, id: 1, body: { is_active: true }, may: operators },
  { method: 'PUT', route: routes.template, id: 1, body: { description: 'x' }, may: operators },
  { method: 'DELETE', route: routes.template, id: 1, may: operators },
  {
    method: 'PUT',
    route: routes.templateUploadImage,
    id: 1,
    body: image,
    headers: gzip,
    may: operators,
  },
  { method: 'POST', route: routes.addAuthToken, body: key, may: people },
  { method: 'POST', route: routes.removeAuthToken, body: key, may: people },
  { method: 'DELETE', route: routes.user, id: 2, may: operators },
  { method: 'POST', route: routes.tokens, body: token, may: operators },
  { method: 'DELETE', route: routes.token, id: 1, may: operators },
]

/** A testbed with red's slice `mine` on n1. */
async function startWithSlice(): Promise<TestbedWorld> {
  const world = await testbeds.start()
  const body = { name: 'mine', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  return world
}

function ask(world: TestbedWorld, asker: Asker, { method, route, id, body, headers }: Case) {
  const [node = ''] = world.nodes
  const tokens = { anonymous: null, node, blue: world.blue, red: world.red }
  const token = asker === 'operator' ? world.operator : tokens[asker]
  return world.ask(token, method, id === undefined ? route : path(route, { id }), {
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  })
}

describe('who may not', () => {
  let world: TestbedWorld
  beforeAll(async () => {
    world = await startWithSlice()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  it.each(cases)('$method $route: all but $may', async (each) => {
    const before = await world.context.feed.range()
    for (const asker of askers.filter((one) => !each.may.includes(one))) {
      const response = await ask(world, asker, each)
      const refusal =
        asker === 'anonymous' ? [401, 'LAB_AUTH_REQUIRED'] : [403, 'LAB_AUTH_FORBIDDEN']
      const { code } = response.json<{ code: string }>()
      expect([asker, response.statusCode, code]).toEqual([asker, ...refusal])
    }
    expect(await world.context.feed.range()).toEqual(before)
  })
})

describe('who may', () => {
  let shared: TestbedWorld
  beforeAll(async () => {
    shared = await startWithSlice()
  })
  afterAll(() => shared[Symbol.asyncDispose]())

  it.each(cases)('$method $route: $may', async (each) => {
    // A request that removes what the others ask about has a testbed of its own.
    const takesAway = each.method === 'DELETE' || each.route === routes.nodeRevoke
    await using own = takesAway ? await startWithSlice() : null
    for (const asker of each.may) {
      const response = await ask(own ?? shared, asker, each)
      expect([401, 403, 500], `${asker}: ${response.body}`).not.toContain(response.statusCode)
    }
  })
})

describe('the table above', () => {
  it('has every operation of the API', async () => {
    await using world = await testbeds.start()
    const document = await world.ask(null, 'GET', `${routes.docs}/json`)
    const { paths } = document.json<{ paths: Record<string, object> }>()
    const offered = Object.entries(paths).flatMap(([url, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${url}`),
    )
    // Streams and files of samples are tested where they are made, enrolment with its one-time token.
    const elsewhere = [
      `GET ${routes.events}`,
      `GET ${routes.measurementRows}`,
      `GET ${routes.measurementParquet}`,
      `POST ${routes.enroll}`,
    ]
    const tested = [...cases.map(({ method, route }) => `${method} ${route}`), ...elsewhere]
    expect(offered.sort()).toEqual(tested.sort())
  })
})

describe('the rights of a request', () => {
  it('are known before its body is read', async () => {
    await using world = await testbeds.start()
    const body = 'x'.repeat(3 * 1024 * 1024)
    const headers = { 'content-type': 'application/json' }
    for (const [token, status] of [
      [null, 401],
      [world.red, 403],
      [world.operator, 413],
    ] as const) {
      const answer = await world.ask(token, 'POST', routes.nodes, { body, headers })
      expect(answer.statusCode).toBe(status)
    }
  })

  it('are declared on every route: a server with one that declares none does not start', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    const notifications = { on: () => () => undefined, [Symbol.asyncDispose]: async () => {} }
    const start = async (config: object) => {
      const app = Fastify()
      await app.register(accessPlugin, { db, notifications, origins: [] })
      app.get('/api/new/', { config }, () => 'new')
      await app.ready()
      await app.close()
    }
    await expect(start({ right: 'read the testbed' })).resolves.toBeUndefined()
    await expect(start({})).rejects.toThrow('GET /api/new/ does not say which right it needs')
  })

  it('are less with a token that may only read', async () => {
    await using world = await testbeds.start()
    const spec = { name: 'watch', role: 'researcher', user: 'red', scope: 'read' }
    const reader = await makeToken(world, world.operator, spec)
    expect((await world.ask(reader, 'GET', routes.users)).statusCode).toBe(200)
    const body = { name: 'other' }
    const refused = await world.ask(reader, 'POST', routes.slices, { body })
    expect(refused.json()).toMatchObject({
      code: 'LAB_AUTH_FORBIDDEN',
      details: { needs: 'a token that may change things, not only read' },
    })
  })
})

describe('a node', () => {
  it('may not speak for another node', async () => {
    await using world = await testbeds.start()
    const [first = ''] = world.nodes
    const target = await world.ask(first, 'GET', path(routes.nodeTarget, { id: 2 }))
    expect(target.statusCode).toBe(403)
    expect(target.json()).toMatchObject({ code: 'LAB_AUTH_FORBIDDEN' })
    const url = path(routes.nodeState, { id: 2 })
    const state = await world.ask(first, 'PUT', url, { body: aReport({ state: 'failure' }) })
    expect(state.statusCode).toBe(403)
    const node = await world.ask(null, 'GET', path(routes.node, { id: 2 }))
    expect(node.json()).toMatchObject({ state: 'production' })
  })
})
