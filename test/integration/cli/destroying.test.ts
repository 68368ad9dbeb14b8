import type { Token } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { useFakes } from './world/fakes.ts'

const fakes = useFakes()

const slice = {
  ...{ uri: '/api/slices/4/', id: 4, name: 'first', description: '', properties: {} },
  ...{ group: { uri: '/api/groups/1/', id: 1 }, expires_on: '2026-02-01T00:00:00Z' },
  ...{ instance_sn: 0, set_state: 'start', slivers: [{ uri: '/api/slivers/4@3/', id: '4@3' }] },
  sliver_defaults: { instance_sn: 0, template: null, set_state: 'start', resources: [] },
}
const token: Token = {
  ...{ uri: '/api/tokens/5/', id: 5, name: 'laptop', role: 'researcher', scope: 'all' },
  ...{ kind: 'personal', made_from: null, user: null, node: null, last_used_on: null },
  ...{ expires_on: null, created_on: '2026-01-01T00:00:00Z' },
}

it('renews a slice by its name', async () => {
  fakes.server.get('/api/slices/', () => [slice])
  fakes.server.post('/api/slices/4/ctl/renew/', () => ({
    ...slice,
    expires_on: '2026-03-01T00:00:00Z',
  }))
  fakes.server.delete('/api/slices/4/', (_request, reply) => reply.code(204).send())
  await fakes.listen()
  const renewed = await fakes.place.run(['slice', 'renew', 'first'])
  expect(renewed).toEqual({
    code: 0,
    out: 'slice first lives until 2026-03-01T00:00:00Z\n',
    err: '',
  })
  expect((await fakes.place.run(['slice', 'release', 'frist'])).err).toContain(
    'did you mean "first"?',
  )
})

it('says what a node is wanted to be, and what it is; asks nothing where no sliver loses anything', async () => {
  const node = aNode(3, 'n1')
  fakes.server.get('/api/nodes/', () => [node])
  fakes.server.patch('/api/nodes/3/', () => ({ ...node, set_state: 'safe' }))
  await fakes.listen()
  const { out } = await fakes.place.run(['node', 'set-state', 'n1', 'safe'])
  expect(out).toBe('node n1 is wanted safe; it is production\n')
  expect(fakes.asked.at(-1)).toMatchObject({ method: 'PATCH', body: { set_state: 'safe' } })
  expect((await fakes.place.run(['node', 'set-state', 'n1', 'debug'])).code).toBe(2)
})

/** What destroys something: the command, its question, what it asks of the server, and what it says when it is done. */
const destroying: readonly (readonly [string, RegExp, string, string])[] = [
  [
    'node reboot n1',
    /restarting node n1 ends what runs in its slivers \(1\)\. Restart it\?/u,
    'POST /api/nodes/3/ctl/reboot/',
    'node n1 is to restart; it is production\n',
  ],
  [
    'node set-state n1 safe',
    /setting node n1 to safe ends what runs in its slivers \(1\)\. Set it\?/u,
    'PATCH /api/nodes/3/',
    'node n1 is wanted production; it is production\n',
  ],
  [
    'node revoke n1',
    /revoking node n1 cuts it off, with the slivers on it, .*\. Revoke it\?/u,
    'POST /api/nodes/3/ctl/revoke/',
    'node n1 is revoked\n',
  ],
  [
    'slice reset first',
    /resetting slice first removes all that is in its slivers \(1\)\. Reset it\?/u,
    'POST /api/slices/4/ctl/reset/',
    'the slivers of slice first (1) are made again\n',
  ],
  [
    'slice release first',
    /releasing slice first removes its slivers \(1\) and all that is in them\. Release it\?/u,
    'DELETE /api/slices/4/',
    'slice first is released, with its slivers (1); its measurements stay\n',
  ],
  [
    'token revoke laptop',
    /revoking token laptop locks out whoever uses it.*\. Revoke it\?/u,
    'DELETE /api/tokens/5/',
    'token laptop is revoked\n',
  ],
]

it.each(destroying)('does %s for who says yes, at the terminal or with --yes', async (...each) => {
  const [line, question, request, done] = each
  const command = line.split(' ')
  const node = { ...aNode(3, 'n1'), slivers: [{ uri: '/api/slivers/4@3/', id: '4@3' }] }
  fakes.server.get('/api/nodes/', () => [node])
  fakes.server.get('/api/slices/', () => [slice])
  fakes.server.get('/api/tokens/', () => [token])
  fakes.server.patch('/api/nodes/3/', () => node)
  fakes.server.post('/api/nodes/3/ctl/reboot/', (_request, reply) => reply.code(202).send(node))
  fakes.server.post('/api/nodes/3/ctl/revoke/', (_request, reply) => reply.code(204).send())
  fakes.server.post('/api/slices/4/ctl/reset/', (_request, reply) => reply.code(202).send(slice))
  fakes.server.delete('/api/slices/4/', (_request, reply) => reply.code(204).send())
  fakes.server.delete('/api/tokens/5/', (_request, reply) => reply.code(204).send())
  await fakes.listen()
  const nobody = await fakes.place.run(command)
  expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining('give --yes')])
  const no = await fakes.place.run(command, { answer: false })
  expect(no.err).toMatch(question)
  expect(no.code).not.toBe(0)
  expect(fakes.asked.filter(({ method }) => method !== 'GET')).toEqual([])
  expect((await fakes.place.run(command, { answer: true })).out).toBe(done)
  const { method = '', url = '', token: by } = fakes.asked.at(-1) ?? {}
  expect([`${method} ${url}`, by]).toEqual([request, 'Bearer of-the-operator'])
  const json = await fakes.place.run([...command, '--yes', '--json'])
  expect([json.code, JSON.parse(json.out)]).toEqual([0, expect.anything()])
})
