import { path, routes } from '@community-lab/contract'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listNodes, listSlices, listSlivers } from '../../../../server/src/registry/read/lists.ts'
import { aSliverReport, startTestbeds, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

it('lists say what the database says, after every change of what they are made of', async () => {
  await using world = await testbeds.start()
  const { registry } = world.context
  const where = sql<boolean>`true`
  const ask = async (...asked: Parameters<typeof world.ask>): Promise<void> => {
    const { statusCode, body } = await world.ask(...asked)
    expect([asked[2], statusCode < 300, statusCode < 300 ? '' : body]).toEqual([asked[2], true, ''])
  }
  const { operator, red } = world
  const ensure = (body: object) => ask(red, 'PUT', routes.sliceEnsure, { body })
  const node = path(routes.node, { id: 1 })
  const slice = path(routes.slice, { id: 1 })
  const spec = { name: 'mine', template: 'tiny' }
  const changes: readonly (() => Promise<unknown>)[] = [
    () => ensure({ ...spec, nodes: ['n1'] }),
    () => ensure({ ...spec, nodes: ['n1', 'n2'] }),
    () => world.report(1, { slivers: [aSliverReport('1@1')] }),
    () => world.report(1, { soft_version: '9', slivers: [aSliverReport('1@1')] }),
    () => ask(operator, 'PATCH', node, { body: { properties: { last_seen_on: 'x' } } }),
    () => ask(operator, 'PATCH', node, { body: { lends: { memory_mib: 300 } } }),
    () => ask(operator, 'PATCH', node, { body: { set_state: 'safe' } }),
    () => ask(operator, 'POST', path(routes.nodeReboot, { id: 1 })),
    () => registry.noteContact(1, true),
    () => ask(red, 'PATCH', slice, { body: { set_state: 'deploy' } }),
    () => ask(red, 'PATCH', slice, { body: { sliver_defaults: { set_state: 'register' } } }),
    () => ask(red, 'POST', path(routes.sliceReset, { id: 1 })),
    () => ask(red, 'POST', path(routes.sliceRenew, { id: 1 })),
    () => ask(red, 'PATCH', '/api/slivers/1@2/', { body: { description: 'second' } }),
    () => ask(red, 'POST', path(routes.sliverUpdate, { id: '1@2' })),
    () => ask(red, 'DELETE', '/api/slivers/1@2/'),
    () => ask(operator, 'POST', routes.nodes, { body: { name: 'n3' } }),
    () => ask(red, 'DELETE', slice),
    () => ask(operator, 'DELETE', path(routes.node, { id: 3 })),
  ]
  const lists = [
    [routes.nodes, listNodes(registry)],
    [routes.slices, listSlices(registry)],
    [routes.slivers, listSlivers(registry)],
  ] as const
  for (const [nr, change] of changes.entries()) {
    await change()
    for (const [url, source] of lists) {
      const answer = await world.ask(null, 'GET', url)
      expect([nr, url, answer.json()]).toEqual([nr, url, await source.read({ where })])
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      const etag = answer.headers.etag ?? ''
      const headers = { 'if-none-match': etag }
      expect((await world.ask(null, 'GET', url, { headers })).statusCode).toBe(304)
    }
  }
})
