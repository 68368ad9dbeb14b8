import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { gzipSync } from 'node:zlib'
import {
  acceptOf,
  path,
  routes,
  type Group,
  type Template,
  type TokenCreated,
} from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { peopleOf } from './people.ts'

let testbeds: Testbeds
let world: TestbedWorld
let origin: string
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
  origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

interface LateRequest {
  readonly method: string
  readonly url: string
  readonly token: string
  readonly body: object
}

/** Send a request without the end of its body, and wait until it was permitted. Returns what sends the rest, and tells the status of the answer. */
async function begin({ method, url, token, body }: LateRequest): Promise<() => Promise<number>> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
  const headers = {
    accept: acceptOf(),
    authorization: `Bearer ${token}`,
    'content-type': Buffer.isBuffer(body) ? 'application/gzip' : 'application/json',
    'content-length': String(bytes.length),
  }
  const begun = request(`${origin}${url}`, { method, headers })
  const answered = once(begun, 'response') as Promise<[IncomingMessage]>
  begun.write(bytes.subarray(0, 4))
  // The server has one thread: it has looked at who asks before it has answered these. If it had not, it would refuse all the same.
  for (let asked = 0; asked < 20; asked++) await world.ask(token, 'GET', routes.whoami)
  return async () => {
    begun.end(bytes.subarray(4))
    const [response] = await answered
    response.resume()
    return response.statusCode ?? 0
  }
}

async function anOperatorsToken(): Promise<TokenCreated> {
  const body = { name: 'another', role: 'operator' }
  return (await world.ask(world.operator, 'POST', routes.tokens, { body })).json<TokenCreated>()
}

describe('a request whose body comes late', () => {
  it('makes no token with one that was voided meanwhile', async () => {
    const { secret, token } = await anOperatorsToken()
    const finish = await begin({
      method: 'POST',
      url: routes.tokens,
      token: secret,
      body: { name: 'back', role: 'operator', expires_on: null },
    })
    expect((await world.ask(world.operator, 'DELETE', token.uri)).statusCode).toBe(204)
    expect(await finish()).toBe(401)
  })

  it('changes no group whose admin the asker is no more', async () => {
    const people = peopleOf(world)
    const [ada, eve] = [await people.aPerson(), await people.aPerson()]
    const group = await people.aGroup(ada)
    await people.join(group, eve, ada, { is_group_admin: true })
    const admins = (...all: { id: number }[]) => ({
      user_roles: all.map(({ id }) => ({ user: { id }, is_group_admin: true })),
    })
    const finish = await begin({
      method: 'PATCH',
      url: group.uri,
      token: eve.token,
      body: admins(eve),
    })
    await world.ask(ada.token, 'PATCH', group.uri, { body: admins(ada) })
    const asks = { kind: 'join', group: { id: group.id } }
    await world.ask(eve.token, 'POST', routes.requests, { body: asks })
    expect(await finish()).toBe(403)
    const after = (await world.ask(null, 'GET', group.uri)).json<Group>()
    expect(after.user_roles.map(({ user }) => user.id)).toEqual([ada.id])
  })

  it('gives a template no image with a token that was voided meanwhile', async () => {
    const { secret, token } = await anOperatorsToken()
    const url = path(routes.templateUploadImage, { id: world.template.id })
    const finish = await begin({ method: 'PUT', url, token: secret, body: gzipSync('another') })
    expect((await world.ask(world.operator, 'DELETE', token.uri)).statusCode).toBe(204)
    expect(await finish()).toBe(401)
    const after = (await world.ask(null, 'GET', world.template.uri)).json<Template>()
    expect(after.image_sha256).toBe(world.template.image_sha256)
  })
})
