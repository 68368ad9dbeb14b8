import { routes, type Slice } from '@community-lab/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

async function startWithSlice(): Promise<TestbedWorld> {
  const world = await testbeds.start()
  const body = { name: 'mine', template: 'tiny', nodes: ['n1'] }
  await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
  return world
}

describe('an ETag', () => {
  it('is on everything that is read again, and answers 304 to who has it', async () => {
    await using world = await startWithSlice()
    const lists = [routes.nodes, routes.slices, routes.slivers, routes.templates, routes.groups]
    const objects = ['/api/nodes/1/', '/api/slices/1/', '/api/slivers/1@1/', '/api/templates/1/']
    for (const url of [routes.base, ...lists, ...objects]) {
      const first = await world.ask(null, 'GET', url)
      const etag = first.headers.etag ?? ''
      expect(etag).toMatch(/^W\/"[\w-]{22}"$/u)
      expect(first.headers['cache-control']).toBe('no-cache')
      // What clients of CONFINE get has absolute URIs, and is not given to others by a cache.
      expect(String(first.headers.vary)).toMatch(/\bAccept\b/u)
      for (const known of [etag, `"other", ${etag}`, etag.replace('W/', ''), '*']) {
        const again = await world.ask(null, 'GET', url, { headers: { 'if-none-match': known } })
        expect([url, again.statusCode, again.body]).toEqual([url, 304, ''])
      }
      const other = await world.ask(null, 'GET', url, { headers: { 'if-none-match': '"other"' } })
      expect(other.statusCode).toBe(200)
    }
  })

  it('stays while a node is only heard of, and changes with what it says', async () => {
    await using world = await testbeds.start()
    const etag = async () => (await world.ask(null, 'GET', routes.nodes)).headers.etag
    const first = await etag()
    await world.report(1)
    expect(await etag()).toBe(first)
    await world.report(1, { state: 'safe' })
    expect(await etag()).not.toBe(first)
  })

  it('guards a change: what has changed since is not overwritten', async () => {
    await using world = await startWithSlice()
    const objects = ['/api/nodes/1/', '/api/slices/1/', '/api/slivers/1@1/', '/api/templates/1/']
    for (const url of objects) {
      const etag = (await world.ask(null, 'GET', url)).headers.etag ?? ''
      const patch = (description: string) =>
        world.ask(world.operator, 'PATCH', url, {
          body: { description },
          headers: { 'if-match': etag },
        })
      expect((await patch('mine')).statusCode).toBe(200)
      const late = await patch('too late')
      expect(late.statusCode).toBe(412)
      expect(late.json()).toMatchObject({
        code: 'LAB_REQUEST_PRECONDITION_FAILED',
        details: { uri: url },
      })
      expect((await world.ask(null, 'GET', url)).json()).toMatchObject({ description: 'mine' })
      const gone = await world.ask(world.operator, 'DELETE', url, { headers: { 'if-match': etag } })
      expect(gone.statusCode).toBe(412)
    }
  })

  it('lets one of many who change the same at once go first, and tells the others', async () => {
    await using world = await startWithSlice()
    const etag = (await world.ask(null, 'GET', '/api/slices/1/')).headers.etag ?? ''
    const changes = Array.from({ length: 6 }, (_, index) =>
      world.ask(world.red, 'PATCH', '/api/slices/1/', {
        body: { description: `${index}` },
        headers: { 'if-match': etag },
      }),
    )
    const answers = await Promise.all(changes)
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([
      200, 412, 412, 412, 412, 412,
    ])
    const won = answers.find(({ statusCode }) => statusCode === 200)?.json<Slice>().description
    expect((await world.ask(null, 'GET', '/api/slices/1/')).json()).toMatchObject({
      description: won,
    })
  })
})
