import { once } from 'node:events'
import { path, routes, streamSubprotocol, type TokenCreated } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { channels } from '../../../../server/src/postgres/notifications.ts'
import { readEvents, type EventReader } from '../world/events.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { startWorld } from '../world/world.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function makeToken(world: TestbedWorld, body: object = {}) {
  const spec = { name: 'x', role: 'researcher', user: 'red', ...body }
  const made = await world.ask(world.operator, 'POST', routes.tokens, { body: spec })
  return made.json<TokenCreated>()
}

describe('a token that is void', () => {
  it('has no event stream any more from that moment, on whichever server it was opened', async () => {
    await using world = await testbeds.start()
    await using other = await startWorld({ databaseUrl: world.databaseUrl })
    const { secret, token } = await makeToken(world)
    await using near = await readEvents(world, { token: secret })
    await using far = await readEvents(other, { token: secret })
    await using stranger = await readEvents(world)
    for (const reader of [near, far, stranger]) await reader.take(1)
    expect((await world.ask(world.operator, 'DELETE', token.uri)).statusCode).toBe(204)
    for (const reader of [near, far]) await expect(reader.next()).rejects.toThrow('terminated')
    await world.ask(world.operator, 'POST', path(routes.nodeReboot, { id: 1 }))
    expect(await stranger.take(1)).toHaveLength(1)
  })

  it('opens no event stream when it becomes void while a request is looked at', async () => {
    await using world = await testbeds.start()
    const { secret, token } = await makeToken(world)
    const removed = Promise.withResolvers<undefined>()
    const removing = Promise.withResolvers<undefined>()
    const id = Number(token.uri.split('/').at(-2))
    const removal = world.database.db.transaction().execute(async (tx) => {
      await tx.deleteFrom('tokens').where('id', '=', id).execute()
      await sql`select pg_notify(${channels.revokedTokens}, ${String(id)})`.execute(tx)
      removing.resolve(undefined)
      await removed.promise
    })
    await removing.promise
    // The request finds the token, and waits for the row lock to note its first use.
    const opening = readEvents(world, { token: secret })
    await expect
      .poll(async () => {
        const waiting = await sql<{ count: string }>`
          select count(*) from pg_locks where not granted`.execute(world.database.db)
        return Number(waiting.rows[0]?.count)
      })
      .toBeGreaterThan(0)
    removed.resolve(undefined)
    await removal
    // The message that the token is void comes before the request goes on, before its answer begins, or after.
    await using reader = await opening.catch(() => null)
    if (reader === null) return
    if (reader.response.status === 200)
      await expect(reader.take(1_000)).rejects.toThrow('terminated')
    else expect(reader.response.status).toBe(401)
  })

  it('is that of a user who was removed', async () => {
    await using world = await testbeds.start()
    await using reader = await readEvents(world, { token: world.red })
    await reader.take(1)
    expect((await world.ask(world.operator, 'DELETE', '/api/users/2/')).statusCode).toBe(204)
    await expect(reader.next()).rejects.toThrow('terminated')
    expect((await world.ask(world.red, 'GET', routes.whoami)).statusCode).toBe(401)
  })

  it('is that of a node that was revoked: its stream is cut', async () => {
    await using world = await testbeds.start()
    const origin = await world.app.listen({ host: '127.0.0.1', port: 0 })
    const url = `${origin.replace('http', 'ws')}${path(routes.nodeStream, { id: 1 })}`
    const headers = { authorization: `Bearer ${world.nodes[0] ?? ''}` }
    const socket = new WebSocket(url, streamSubprotocol, { headers })
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await world.ask(world.operator, 'POST', path(routes.nodeRevoke, { id: 1 }))
    expect((await closed)[0]).toBe(1006)
  })
})

it('a stream ends with the time of its token', async () => {
  await using world = await testbeds.start()
  // On a slow machine a token may end before its stream begins. Then another one is given more time.
  const begin = async (lifeMs: number): Promise<EventReader> => {
    const expires_on = new Date(Date.now() + lifeMs).toISOString()
    const { secret } = await makeToken(world, { expires_on })
    const reader = await readEvents(world, { token: secret })
    if (reader.response.status !== 401) return reader
    await reader[Symbol.asyncDispose]()
    return begin(4 * lifeMs)
  }
  await using reader = await begin(1_500)
  expect(reader.response.status).toBe(200)
  await reader.take(1)
  await expect(reader.next()).rejects.toThrow('terminated')
})
