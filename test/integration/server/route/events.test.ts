import { path, routes } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEvents, type SentEvent } from '../world/events.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { startWorld } from '../world/world.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const reboot = (world: TestbedWorld, id = 1) =>
  world.ask(world.operator, 'POST', path(routes.nodeReboot, { id }))

describe('the stream of events', () => {
  it('says hello to a new reader, with where it begins, and tells each change', async () => {
    await using world = await testbeds.start()
    const { last } = await world.context.feed.range()
    await using reader = await readEvents(world)
    expect(reader.response.headers.get('content-type')).toMatch(/^text\/event-stream/u)
    expect(reader.response.headers.get('cache-control')).toBe('no-store')
    expect(await reader.next()).toMatchObject({ id: last, event: 'hello', data: { id: last } })
    await reboot(world)
    expect(await reader.next()).toMatchObject({
      id: last + 1,
      event: 'change',
      data: { id: last + 1, kind: 'node', action: 'updated', object_id: '1' },
    })
  })

  it('is written once for all readers: each gets the same bytes', async () => {
    await using world = await testbeds.start()
    const { feed } = world.context
    const { last } = await feed.range()
    await reboot(world)
    // Until the feed has heard of the change, each reader gets it from the database.
    const readTwice = async () => {
      const [[one], [other]] = [await feed.after(last), await feed.after(last)]
      return one !== undefined && one.bytes === other?.bytes
    }
    await expect.poll(readTwice).toBe(true)
  })

  it('goes on after the last id of a reader who was away, however often', async () => {
    await using world = await testbeds.start()
    const first = (await world.context.feed.range()).last
    const read: SentEvent[] = []
    for (let round = 1; round <= 5; round++) {
      await reboot(world)
      await reboot(world, 2)
      const lastEventId = read.at(-1)?.cursor ?? first
      await using reader = await readEvents(world, { lastEventId })
      // The reader leaves while a change is on its way.
      const changes = reboot(world)
      read.push(...(await reader.take(round === 5 ? 7 : 2)))
      await changes
    }
    const ids = read.map(({ id }) => id)
    expect(ids).toEqual(ids.map((_, index) => first + 1 + index))
    expect(ids).toHaveLength(15)
  })

  it('begins where the query says for readers who cannot send headers', async () => {
    await using world = await testbeds.start()
    await using all = await readEvents(world, { query: '?after=0' })
    expect(await all.next()).toMatchObject({ id: 1, event: 'change' })
    const refused = await world.ask(null, 'GET', `${routes.events}?after=yesterday`)
    expect(refused.statusCode).toBe(400)
  })

  it('tells a reader whose place is no longer kept, or never was, to read everything again', async () => {
    await using world = await testbeds.start()
    await reboot(world)
    const { last } = await world.context.feed.range()
    await world.database.db.deleteFrom('events').where('id', '<', last).execute()
    for (const [round, lastEventId] of [1, last + 10].entries()) {
      await using reader = await readEvents(world, { lastEventId })
      const id = last + round
      expect(await reader.next()).toMatchObject({ id, event: 'reset', data: { id } })
      await reboot(world)
      expect(await reader.next()).toMatchObject({ id: id + 1, event: 'change' })
    }
  })

  it('tells a reader of a server that was restored since to read everything again, though its last id is there', async () => {
    const before = await testbeds.start()
    await reboot(before)
    const { last } = await before.context.feed.range()
    await using reader = await readEvents(before, { lastEventId: last - 1 })
    const cursor = (await reader.take(1)).at(0)?.cursor ?? ''
    // A copy from before the last change is put back.
    const { db } = before.database
    await db.deleteFrom('events').where('id', '=', last).execute()
    await db
      .updateTable('counters')
      .set({ value: last - 1 })
      .execute()
    await before[Symbol.asyncDispose]()

    await using restored = await startWorld({ databaseUrl: before.databaseUrl })
    const change = () => restored.ask(before.operator, 'POST', path(routes.nodeReboot, { id: 2 }))
    await change()
    await change()
    const { last: newest } = await restored.context.feed.range()
    expect(newest).toBeGreaterThanOrEqual(last)
    await using stale = await readEvents(restored, { lastEventId: cursor })
    const told = await stale.next()
    expect(told).toMatchObject({ event: 'reset', data: { id: newest } })
    await using current = await readEvents(restored, { lastEventId: told?.cursor ?? '' })
    await change()
    expect(await current.next()).toMatchObject({ event: 'change', data: { id: newest + 1 } })
  })

  it('tells many readers the same, more than fit into one reading', async () => {
    await using world = await testbeds.start()
    const before = (await world.context.feed.range()).last
    const { registry } = world.context
    const changes = 700
    await registry.change(({ incident }) => {
      for (let number = 0; number < changes; number++)
        incident({ code: 'unknown_host', node: null, message: `${number}` })
      return Promise.resolve()
    })
    await using first = await readEvents(world, { lastEventId: before })
    const others = Array.from({ length: 20 }, () => readEvents(world, { lastEventId: before }))
    const readers = [first, ...(await Promise.all(others))]
    for (const reader of readers) {
      const messages = (await reader.take(changes)).map(({ data }) => data.object)
      expect(messages.at(-1)).toMatchObject({ message: `${changes - 1}` })
      await reader[Symbol.asyncDispose]()
    }
  })

  it('ends when the server stops', async () => {
    const world = await testbeds.start()
    await using reader = await readEvents(world)
    await reader.next()
    await world[Symbol.asyncDispose]()
    expect(await reader.next()).toBeNull()
  })
})
