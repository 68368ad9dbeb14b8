import { routes, type ChangeEvent } from '@community-lab/contract'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readEvents } from '../world/events.ts'
import { aSliverReport, startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'
import { startWorld, type Method, type World } from '../world/world.ts'

let testbeds: Testbeds
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
})
afterAll(() => testbeds[Symbol.asyncDispose]())

const lists = [
  ['node', routes.nodes],
  ['slice', routes.slices],
  ['sliver', routes.slivers],
  ['template', routes.templates],
  ['group', routes.groups],
  ['user', routes.users],
  ['request', routes.requests],
] as const

/** What changes without an event: when a node was last heard of; and what events of users do not show. */
const untold = {
  ...{ last_seen_on: null, auth_tokens: null, email: null },
  ...{ has_password: null, notifications: null },
}

/** Every object as the API shows it to operators, by `kind id`. */
async function readAll(world: TestbedWorld): Promise<Map<string, object>> {
  const board = new Map<string, object>()
  for (const [kind, url] of lists) {
    const list = await world.ask(world.operator, 'GET', url)
    for (const object of list.json<{ id: string | number }[]>())
      board.set(`${kind} ${object.id}`, { ...object, ...untold })
  }
  return board
}

function apply(board: Map<string, object>, event: ChangeEvent): void {
  const key = `${event.kind} ${event.object_id}`
  if (event.action === 'deleted') board.delete(key)
  else board.set(key, { ...event.object, ...untold })
}

interface Request {
  readonly who: 'operator' | 'red' | 'node'
  readonly method: Method
  readonly url: string
  readonly body?: object
}

const id = fc.integer({ min: 1, max: 3 })
const word = fc.constantFrom('a', 'b', 'c')
const sliver = fc.tuple(id, id).map(([slice, node]) => `${slice}@${node}`)

/** What operators, researchers and nodes ask for, aimed at few objects so that it collides. */
const request: fc.Arbitrary<Request> = fc.oneof(
  fc
    .record({ name: word, nodes: fc.subarray(['n1', 'n2', 'n3'], { minLength: 1 }), req: id })
    .map(({ req, ...spec }) => ({
      who: 'red' as const,
      method: 'PUT' as const,
      url: routes.sliceEnsure,
      body: {
        ...spec,
        template: 'tiny',
        may_lose: 'slivers',
        resources: [{ name: 'memory', req: 63 + req }],
      },
    })),
  change('red', 'DELETE', id, (slice) => `/api/slices/${slice}/`),
  change('red', 'POST', id, (slice) => `/api/slices/${slice}/ctl/reset/`),
  change('red', 'DELETE', sliver, (each) => `/api/slivers/${each}/`),
  change('red', 'POST', sliver, (each) => `/api/slivers/${each}/ctl/update/`),
  sliver.map((each) => {
    const [slice, node] = each.split('@').map((part) => ({ id: Number(part) }))
    return { who: 'red', method: 'POST', url: routes.slivers, body: { slice, node } } as const
  }),
  fc.tuple(id, word).map(([node, suffix]) => ({
    who: 'operator' as const,
    method: 'PATCH' as const,
    url: `/api/nodes/${node}/`,
    body: { name: `n${node}${suffix === 'a' ? '' : suffix}`, description: suffix },
  })),
  change('operator', 'POST', id, (node) => `/api/nodes/${node}/ctl/reboot/`),
  word.map((description) => ({
    who: 'operator' as const,
    method: 'PATCH' as const,
    url: '/api/templates/1/',
    body: { description },
  })),
  fc.array(id, { maxLength: 3 }).map((slices) => ({
    who: 'node' as const,
    method: 'PUT' as const,
    url: '/api/nodes/1/ctl/state/',
    body: { slivers: [...new Set(slices)].map((slice) => aSliverReport(`${slice}@1`)) },
  })),
  fc.constant({ who: 'operator', method: 'DELETE', url: '/api/nodes/3/' } as const),
  fc.tuple(id, word).map(([group, description]) => ({
    who: 'operator' as const,
    method: 'PATCH' as const,
    url: `/api/groups/${group}/`,
    body: { description },
  })),
  fc.tuple(id, fc.constantFrom('join', 'allow_nodes')).map(([group, kind]) => ({
    who: 'red' as const,
    method: 'POST' as const,
    url: routes.requests,
    body: { kind, group: { id: group } },
  })),
  change('operator', 'POST', id, (request) => `/api/requests/${request}/ctl/refuse/`),
  id.map((request) => ({
    who: 'operator' as const,
    method: 'POST' as const,
    url: `/api/requests/${request}/ctl/accept/`,
    body: { is_node_admin: true },
  })),
  change('red', 'DELETE', id, (request) => `/api/requests/${request}/`),
  change('red', 'POST', id, (group) => `/api/groups/${group}/ctl/leave/`),
  word.map((name) => ({
    who: 'operator' as const,
    method: 'POST' as const,
    url: routes.users,
    body: { name },
  })),
  fc.constant({ who: 'operator', method: 'DELETE', url: '/api/users/3/' } as const),
)

function change<T>(
  who: Request['who'],
  method: Method,
  of: fc.Arbitrary<T>,
  url: (value: T) => string,
): fc.Arbitrary<Request> {
  return of.map((value) => ({ who, method, url: url(value) }))
}

async function send(world: TestbedWorld, through: Pick<World, 'ask'>, request: Request) {
  if (request.who === 'node') {
    await world.report(1, request.body)
    return
  }
  const { method, url, body } = request
  const token = request.who === 'red' ? world.red : world.operator
  const answer = await through.ask(token, method, url, body === undefined ? {} : { body })
  expect(answer.statusCode, answer.body).toBeLessThan(500)
}

it('the events of many writers at once, applied in their order, give the state of the database', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 40, maxLength: 80 }), async (requests) => {
      await using world = await testbeds.start()
      await using other = await startWorld({ databaseUrl: world.databaseUrl })
      await world.ask(world.operator, 'POST', routes.nodes, { body: { name: 'n3' } })
      const board = await readAll(world)
      const { last: before } = await world.context.feed.range()
      await Promise.all(
        requests.map((each, index) => send(world, index % 2 === 0 ? world : other, each)),
      )
      const { last } = await world.context.feed.range()
      await using reader = await readEvents(other, { lastEventId: before, token: world.operator })
      for (const { data } of await reader.take(last - before)) apply(board, data)
      expect(board).toEqual(await readAll(world))
    }),
    { numRuns: 4, seed: 1, endOnFailure: true },
  )
})
