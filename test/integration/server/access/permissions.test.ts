import { path, routes } from '@community-lab/contract'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessPlugin } from '../../../../server/src/access/access.ts'
import { createSessionCookie } from '../../../../server/src/access/session-cookie.ts'
import { findRefusal } from '../../../../server/src/domain/asker.ts'
import type { RightName } from '../../../../server/src/domain/rights.ts'
import { aReport, imageSha256, makeToken, startTestbeds, type Testbeds } from '../world/testbed.ts'
import { cases, type Case } from './cases.ts'
import { askers, startParties, type AskerName, type PartiesWorld } from './parties.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

describe('the matrix of rights', () => {
  let parties: PartiesWorld
  /** The right that each operation names, by `METHOD route`. */
  let rightOf: ReadonlyMap<string, RightName>
  beforeAll(async () => {
    parties = await startParties(testbeds)
    rightOf = await readRights(parties)
  })
  afterAll(() => parties.world[Symbol.asyncDispose]())

  it('has a case for every operation of the API', () => {
    // Streams and files of samples are tested where they are made, enrolment with its one-time token.
    const elsewhere = [
      `GET ${routes.events}`,
      `GET ${routes.measurementRows}`,
      `GET ${routes.measurementParquet}`,
      `GET ${routes.healthManifest}`,
      `GET ${routes.healthFile}`,
      `POST ${routes.enroll}`,
    ]
    const tested = new Set([
      ...cases.map(({ method, route }) => `${method} ${route}`),
      ...elsewhere,
    ])
    expect([...rightOf.keys()].sort()).toEqual([...tested].sort())
  })

  it.each(cases)('$method $route $spare $also: each asker as the table says', async (each) => {
    const right = rightOf.get(`${each.method} ${each.route}`)
    if (right === undefined) throw new Error('the operation is not described')
    const outcomes = await Promise.all(
      askers.map(async (asker) => [asker, await outcomeOf(parties, asker, each)] as const),
    )
    const expected = askers.map((asker) => [
      asker,
      expectedOf(parties, asker, [right, ...(each.also ?? [])]),
    ])
    expect(outcomes).toEqual(expected)
  })
})

/** What the table of rights says, without the server. */
function expectedOf(
  { models, memberId }: PartiesWorld,
  asker: AskerName,
  needed: readonly RightName[],
): string {
  const owner = { groupId: 2, userId: memberId, nodeId: 1 }
  const refusals = needed.map((name) => findRefusal(name, models[asker], owner))
  if (refusals.every((refusal) => refusal === null)) return 'let in'
  return asker === 'anonymous' ? '401 LAB_AUTH_REQUIRED' : '403 LAB_AUTH_FORBIDDEN'
}

async function outcomeOf(parties: PartiesWorld, asker: AskerName, each: Case): Promise<string> {
  const { method, route, spare, version = 0, upload = '', body, headers } = each
  const id = spare === undefined ? each.id : await parties.makeSpare(spare)
  const url = id === undefined ? route : path(route, { id, version, upload, hash: imageSha256 })
  const answer = await parties.world.ask(parties.tokens[asker], method, url, {
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  })
  const { statusCode } = answer
  if (statusCode === 401 || statusCode === 403)
    return `${statusCode} ${answer.json<{ code: string }>().code}`
  return statusCode === 500 ? answer.body : 'let in'
}

async function readRights({ world }: PartiesWorld): Promise<ReadonlyMap<string, RightName>> {
  const document = await world.ask(null, 'GET', `${routes.docs}/json`)
  type Operation = Record<string, { 'x-right': RightName }>
  const { paths } = document.json<{ paths: Record<string, Operation> }>()
  return new Map(
    Object.entries(paths).flatMap(([url, operations]) =>
      Object.entries(operations).map(
        ([method, operation]) => [`${method.toUpperCase()} ${url}`, operation['x-right']] as const,
      ),
    ),
  )
}

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
      const answer = await world.ask(token, 'POST', routes.users, { body, headers })
      expect(answer.statusCode).toBe(status)
    }
  })

  it('are declared on every route: a server with one that declares none does not start', async () => {
    await using world = await testbeds.start()
    const { db } = world.database
    const notifications = { on: () => () => undefined, [Symbol.asyncDispose]: async () => {} }
    const cookie = createSessionCookie('test')
    const start = async (config: object) => {
      const app = Fastify()
      await app.register(accessPlugin, { db, notifications, origins: [], cookie })
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
