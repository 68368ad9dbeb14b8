import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { acceptOf, path, routes, streamSubprotocol } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { defaultLimits } from '../../../../server/src/http/limits.ts'
import { readEvents } from '../world/events.ts'
import { makeToken, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import type { AskOptions, Method } from '../world/world.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  // Nothing here changes anything.
  world = await testbeds.start()
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

const json = { 'content-type': 'application/json' }
const cases: readonly (readonly [string, Method, string, AskOptions, number, string])[] = [
  ['a node that is not there', 'GET', '/api/nodes/99/', {}, 404, 'LAB_NOT_FOUND'],
  ['an id that is none', 'GET', '/api/nodes/1e0/', {}, 404, 'LAB_NOT_FOUND'],
  ['an id beyond all numbers', 'GET', '/api/slices/99999999999/', {}, 404, 'LAB_NOT_FOUND'],
  ['a sliver’s id that is none', 'GET', '/api/slivers/1-1/', {}, 404, 'LAB_NOT_FOUND'],
  ['an id beyond PostgreSQL’s', 'GET', '/api/slivers/999999999999999@1/', {}, 404, 'LAB_NOT_FOUND'],
  ['a NUL in an id', 'GET', '/api/nodes/1%00/', {}, 400, 'LAB_REQUEST_INVALID'],
  ['a NUL in a sliver’s id', 'DELETE', '/api/slivers/1@1%00/', {}, 400, 'LAB_REQUEST_INVALID'],
  [
    'a NUL in a text',
    'PATCH',
    '/api/nodes/1/',
    { body: { description: 'a\0b' } },
    400,
    'LAB_REQUEST_INVALID',
  ],
  [
    'half a character in a property',
    'PATCH',
    '/api/nodes/1/',
    { body: { properties: { roof: '\ud800' } } },
    400,
    'LAB_REQUEST_INVALID',
  ],
  [
    'a reference beyond all ids',
    'POST',
    routes.slivers,
    { body: { slice: { id: 2 ** 40 }, node: { id: 1 } } },
    400,
    'LAB_REQUEST_INVALID',
  ],
  ['a path that is none', 'GET', '/api/nods/', {}, 404, 'LAB_NOT_FOUND'],
  ['a path with a damaged escape', 'GET', '/api/nodes/%zz/', {}, 400, 'LAB_REQUEST_INVALID'],
  ['a verb that a path does not have', 'PATCH', '/api/nodes/', {}, 405, 'LAB_REQUEST_METHOD'],
  [
    'a body that is no JSON',
    'POST',
    routes.nodes,
    { body: '{"name":', headers: json },
    400,
    'LAB_REQUEST_INVALID',
  ],
  [
    'a body that is no object',
    'POST',
    routes.nodes,
    { body: '[]', headers: json },
    400,
    'LAB_REQUEST_INVALID',
  ],
  [
    'a body of another type',
    'POST',
    routes.nodes,
    { body: '<node/>', headers: { 'content-type': 'text/xml' } },
    415,
    'LAB_REQUEST_MEDIA_TYPE',
  ],
  [
    'a body that is too large',
    'POST',
    routes.nodes,
    { body: { name: 'n9', description: 'x'.repeat(3 * 1024 * 1024) } },
    413,
    'LAB_REQUEST_TOO_LARGE',
  ],
  ['no body', 'POST', routes.nodes, {}, 400, 'LAB_REQUEST_INVALID'],
  ['a name that is taken', 'POST', routes.nodes, { body: { name: 'n1' } }, 409, 'LAB_NAME_TAKEN'],
  [
    'a sliver on a node that is not there',
    'POST',
    routes.slivers,
    { body: { slice: { id: 1 }, node: { id: 99 } } },
    404,
    'LAB_NOT_FOUND',
  ],
]

describe('a request with', () => {
  it.each(cases)('%s: %s %s', async (_, method, url, options, status, code) => {
    const response = await world.ask(world.operator, method, url, options)
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([status, code])
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/u)
    const problem = response.json<object>()
    expect(Object.keys(problem).sort()).toEqual([
      'code',
      'detail',
      'details',
      'requestId',
      'status',
      'title',
      'type',
    ])
    expect(problem).toMatchObject({ title: code, status })
  })
})

describe('a body that cannot be read', () => {
  it('is named by its type', async () => {
    const headers = { 'content-type': 'text/xml' }
    const options = { body: '<node/>', headers }
    const response = await world.ask(world.operator, 'POST', routes.nodes, options)
    expect(response.json()).toMatchObject({
      detail: 'cannot read a body of type "text/xml"; send application/json',
    })
  })
})

describe('a request that the server fails on', () => {
  it('says nothing of its inside but the id under which the log tells all', async () => {
    await using broken = await testbeds.start()
    await broken.database.db.schema.dropTable('enrollments').execute()
    const url = '/api/nodes/1/ctl/enrollment-token/'
    const response = await broken.ask(broken.operator, 'POST', url)
    const problem = response.json<{ requestId: string }>()
    expect(problem).toMatchObject({ status: 500, code: 'LAB_SERVER_INTERNAL' })
    expect(response.body).not.toContain('enrollments')
    const logged = broken.log.find((line) => line.includes('request failed'))
    expect(logged).toContain(problem.requestId)
    expect(logged).toContain('enrollments')
  })

  it('because its database is away can be sent again, and then works', async () => {
    await using cut = await testbeds.start()
    const health = async () => (await cut.ask(null, 'GET', routes.health)).json<object>()
    expect(await health()).toMatchObject({ parts: { database: { ok: true } } })
    const name = /\/(world\d+)\?/u.exec(cut.databaseUrl)?.[1] ?? ''
    await testbeds.server.admit(name, false)
    const response = await cut.ask(null, 'GET', routes.nodes)
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([
      503,
      'LAB_SERVER_UNAVAILABLE',
    ])
    await expect.poll(health).toMatchObject({
      status: 'degraded',
      parts: { database: { ok: false } },
    })
    await testbeds.server.admit(name, true)
    expect((await cut.ask(null, 'GET', routes.nodes)).statusCode).toBe(200)
  })
})

describe('too many requests', () => {
  it('are refused with when to come again, by whoever sends them', async () => {
    await using busy = await testbeds.start()
    const body = { tinc_pubkey: 'x', arch: 'x86_64' }
    // Guesses are counted by where they come from, not by what they guess.
    for (let guess = 1; guess <= 30; guess++) {
      const secret = `cle_${String(guess).padStart(43, '0')}`
      expect((await busy.ask(secret, 'POST', routes.enroll, { body })).statusCode).toBe(400)
    }
    const refused = await busy.ask(`cle_${'1'.repeat(43)}`, 'POST', routes.enroll, { body })
    expect(refused.statusCode).toBe(429)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/u)
    expect(refused.json()).toMatchObject({ code: 'LAB_REQUEST_RATE_LIMITED' })
    expect((await busy.ask(busy.red, 'GET', routes.slices)).statusCode).toBe(200)
  })
})

describe('a stranger', () => {
  const few = { ...defaultLimits, addressPerMinute: 20, anonymousPerMinute: 10_000 }

  it('is counted before a token is looked at, by the /64 of an IPv6 address', async () => {
    await using world = await testbeds.start({ limits: few })
    const guess = (remoteAddress: string) =>
      world.app.inject({
        url: routes.nodes,
        remoteAddress,
        headers: { accept: acceptOf(), authorization: `Bearer clr_${'0'.repeat(43)}` },
      })
    const answers = []
    for (let host = 1; host <= 21; host++) answers.push(await guess(`2001:db8::${host}`))
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([
      ...Array<number>(20).fill(401),
      429,
    ])
    expect((await guess('2001:db8:0:1::1')).statusCode).toBe(401)
    expect((await guess('::ffff:192.0.2.1')).statusCode).toBe(401)
  })
})

describe('requests of nodes', () => {
  it('beyond what is answered at once are refused, each with a time of its own to come back', async () => {
    const nodes = { atOnce: 2, backPerS: 0.01 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, nodes } })
    const token = world.nodes[0] ?? ''
    const target = path(routes.nodeTarget, { id: 1 })
    const poll = () => world.ask(token, 'GET', target)
    const answers = await Promise.all([poll(), poll(), poll(), poll()])
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 503, 503])
    expect(answers[2].json()).toMatchObject({ code: 'LAB_SERVER_BUSY' })
    const times = answers.map(({ headers }) => Number(headers['retry-after'] ?? 0))
    expect(times[2]).toBe(101)
    expect(times[3]).toBeGreaterThan(150)
    // Others are answered, and so is a node when those before it are done.
    expect((await poll()).statusCode).toBe(200)
  })

  it('are not refused because of reports that never arrive whole', async () => {
    const nodes = { atOnce: 2, backPerS: 1 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, nodes } })
    const url = await world.app.listen({ port: 0, host: '127.0.0.1' })
    const headers = {
      authorization: `Bearer ${world.nodes[0] ?? ''}`,
      'content-type': 'application/json',
      'content-length': 1_000,
      expect: '100-continue',
    }
    const stall = async () => {
      const report = httpRequest(url + path(routes.nodeState, { id: 1 }), {
        method: 'PUT',
        headers,
      })
      report.on('error', () => undefined)
      report.flushHeaders()
      await once(report, 'continue')
      report.write('{')
      return report
    }
    const stalled = [await stall(), await stall(), await stall()]
    const poll = () => world.ask(world.nodes[1] ?? '', 'GET', path(routes.nodeTarget, { id: 2 }))
    await expect.poll(async () => (await poll()).statusCode).toBe(200)
    for (const report of stalled) report.destroy()
    expect((await poll()).statusCode).toBe(200)
  })

  it('are not refused because of the streams that are open', async () => {
    const nodes = { atOnce: 1, backPerS: 1 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, nodes } })
    const url = (await world.app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
    const open = async (id: number): Promise<WebSocket> => {
      const headers = { authorization: `Bearer ${world.nodes[id - 1] ?? ''}` }
      const at = url + path(routes.nodeStream, { id })
      const stream = new WebSocket(at, streamSubprotocol, { headers })
      await once(stream, 'open')
      return stream
    }
    const streams = [await open(1), await open(2)]
    const target = path(routes.nodeTarget, { id: 1 })
    expect((await world.ask(world.nodes[0] ?? '', 'GET', target)).statusCode).toBe(200)
    for (const stream of streams) stream.terminate()
  })
})

describe('event streams', () => {
  it('are so many for a token and for an address without one, and free again when one ends', async () => {
    const streams = { ...defaultLimits.streams, token: 2, address: 1 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, streams } })
    const open = (token?: string) => readEvents(world, token === undefined ? {} : { token })
    await using first = await open(world.red)
    await using second = await open(world.red)
    await using third = await open(world.red)
    expect(third.response.status).toBe(429)
    expect(await third.response.json()).toMatchObject({
      code: 'LAB_REQUEST_TOO_MANY_STREAMS',
      details: { limit: 2, of: 'token' },
    })
    await using stranger = await open()
    await using another = await open()
    expect([stranger.response.status, another.response.status]).toEqual([200, 429])
    await stranger[Symbol.asyncDispose]()
    await expect.poll(async () => (await open()).response.status).toBe(200)
    expect([first.response.status, second.response.status]).toEqual([200, 200])
  })
  it('of a class behind one address are as many as each student may have, but so many for one user', async () => {
    const streams = { ...defaultLimits.streams, address: 1, user: 2 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, streams } })
    const own = { name: 'other', role: 'researcher' }
    const other = await makeToken(world, world.red, own)
    const open = (token: string) => readEvents(world, { token })
    await using red = await open(world.red)
    await using blue = await open(world.blue)
    await using again = await open(other)
    await using more = await open(other)
    const statuses = [red, blue, again, more].map(({ response }) => response.status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect(await more.response.json()).toMatchObject({ details: { limit: 2, of: 'user' } })
  })

  it('of readers without a token leave room for those who have one', async () => {
    const streams = { ...defaultLimits.streams, anonymous: 1 }
    await using world = await testbeds.start({ limits: { ...defaultLimits, streams } })
    await using stranger = await readEvents(world, {})
    await using another = await readEvents(world, {})
    expect([stranger.response.status, another.response.status]).toEqual([200, 429])
    await using own = await readEvents(world, { token: world.red })
    expect(own.response.status).toBe(200)
  })
})
