import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { makePlace, type Place } from './world/place.ts'

let place: Place
let server: FastifyInstance
let urls: string[]

beforeEach(async () => {
  place = await makePlace()
  urls = []
  server = Fastify()
  server.addHook('preHandler', ({ url }, _reply, done) => {
    urls.push(decodeURIComponent(url))
    done()
  })
})
afterEach(async () => {
  await server.close()
  await place[Symbol.asyncDispose]()
})

async function listen(): Promise<void> {
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  await place.write('.community-lab/credentials.json', JSON.stringify({ url, token: 't' }))
}

it('shows the states of a node, of all parts of the answer, and how long it was in each', async () => {
  const at = (minute: number) => `2026-05-04T12:0${minute}:00.000Z`
  const interval = (minute: number, state: string, reason: string | null) => ({
    ...{ from: at(minute), to: at(minute + 1), state, reason },
  })
  server.get('/api/nodes/', () => [aNode(3, 'n1')])
  server.get<{ Querystring: { from: string } }>('/api/nodes/3/ctl/history/', ({ query }, reply) => {
    if (query.from !== at(0)) return [interval(1, 'offline', 'no sign of life for 30 s')]
    const next = `/api/nodes/3/ctl/history/?from=${at(1)}`
    void reply.header('link', `</api/>; rel="base", <${next}>; rel="next"`)
    return [interval(0, 'production', null)]
  })
  const shares = {
    ...{ from: at(0), to: at(2), known_s: 120, availability: 0.5 },
    seconds: [
      { state: 'production', seconds: 60 },
      { state: 'offline', seconds: 60 },
    ],
  }
  server.get('/api/nodes/3/ctl/availability/', () => shares)
  await listen()
  const { out } = await place.run(['node', 'history', 'n1', '--from', at(0)])
  expect(out).toBe(
    [
      'FROM                      TO                        FOR        STATE       WHY',
      `${at(0)}  ${at(1)}  1 min 0 s  production  -`,
      `${at(1)}  ${at(2)}  1 min 0 s  offline     no sign of life for 30 s`,
      '',
    ].join('\n'),
  )
  const { out: shown } = await place.run(['node', 'availability', 'n1'])
  expect(shown).toContain('production 50.000 % of the 2 min 0 s that are known')
  const { out: json } = await place.run(['node', 'availability', 'n1', '--json'])
  expect(JSON.parse(json)).toEqual(shares)
})

it('shows which slivers ran where, of one slice and node', async () => {
  const entry = {
    ...{ uri: '/api/journal/7/', id: 7, from: '2026-05-04T12:00:00.000Z', to: null },
    ...{ slice: { uri: '/api/slices/4/', id: 4 }, slice_name: 'first' },
    ...{ group: { uri: '/api/groups/1/', id: 1 }, group_name: 'red' },
    ...{ node: { uri: '/api/nodes/3/', id: 3 }, node_name: 'n1', started_on: null },
  }
  server.get('/api/journal/', () => [entry])
  await listen()
  const { out } = await place.run(['slice', 'journal', 'first', '--node', 'n1', '--count', '5'])
  expect(out).toBe(
    [
      'FROM                      TO    SLICE  GROUP  NODE  SLIVER',
      '2026-05-04T12:00:00.000Z  runs  first  red    n1    4@3',
      '',
    ].join('\n'),
  )
  expect(urls.at(-1)).toBe('/api/journal/?per_page=5&/slice_name="first"&/node_name="n1"')
  expect((await place.run(['slice', 'journal', '--count', '5000'])).code).toBe(2)
})

it('names what was asked for where nothing is known, so that a typing error is seen', async () => {
  server.get('/api/journal/', () => [])
  server.get('/api/audit/', () => [])
  await listen()
  const journal = await place.run(['slice', 'journal', 'frist', '--node', 'n1'])
  expect(journal.out).toBe('no sliver of a slice "frist" ran on a node "n1" in this period\n')
  const all = await place.run(['slice', 'journal'])
  expect(all.out).toBe('no sliver ran in this period\n')
  const audit = await place.run(['audit', '--user', 'bbo', '--kind', 'slice', '--object', '7'])
  expect(audit.out).toBe('no changes by a user "bbo" of a slice with the id 7\n')
})

it('says why a node that is wanted in production is not', async () => {
  const errors = [{ member: '/set_state', message: 'the owner holds the node in safe' }]
  const node = { ...aNode(3, 'n1'), state: 'safe', errors }
  server.get('/api/nodes/', () => [node])
  server.patch('/api/nodes/3/', () => node)
  await listen()
  const { out } = await place.run(['node', 'set-state', 'n1', 'production'])
  expect(out).toBe('node n1 is wanted production; it is safe: the owner holds the node in safe\n')
})
