import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { LabError, toProblem, type Token } from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { makePlace, type Place } from './world/place.ts'
import { vctStatus } from './world/vct-status.ts'

interface Asked {
  readonly method: string
  readonly url: string
  readonly token: string | undefined
  readonly body: unknown
}

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

let place: Place
let server: FastifyInstance
let control: FastifyInstance
let asked: Asked[]

beforeEach(async () => {
  place = await makePlace()
  asked = []
  server = record(Fastify())
  // They name what other objects refer to.
  for (const list of ['groups', 'islands']) server.get(`/api/${list}/`, () => [])
  control = record(Fastify())
})
afterEach(async () => {
  await server.close()
  await control.close()
  await place[Symbol.asyncDispose]()
})

function record(app: FastifyInstance): FastifyInstance {
  app.addContentTypeParser('application/gzip', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, createHash('sha256').update(body).digest('hex'))
  })
  app.addHook('preHandler', (request, _reply, done) => {
    const { method, url, body } = request
    asked.push({ method, url, token: request.headers.authorization, body })
    done()
  })
  return app
}

/** Gives the server's URL. */
async function listen(): Promise<string> {
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const socket = join(place.home, 'vct.sock')
  await control.listen({ path: socket })
  const credentials = { url, token: 'of-the-operator', vct_socket: socket }
  await place.write('.community-lab/credentials-operator.json', JSON.stringify(credentials))
  await place.write(
    '.community-lab/credentials.json',
    JSON.stringify({ ...credentials, token: 'of-a-researcher' }),
  )
  return url
}

it('lists nodes in columns, by their ids, as the operator', async () => {
  server.get('/api/nodes/', () => [aNode(12, 'n2'), aNode(3, 'n1')])
  await listen()
  const { code, out } = await place.run(['node', 'list'])
  expect(code).toBe(0)
  expect(out).toBe(
    [
      'ID  NAME  STATE       SLIVERS  FREE MIB  SEEN  MANAGEMENT',
      ' 3  n1    production        0       448  -     fd65:fc41:c50f:3::2',
      '12  n2    production        0       448  -     fd65:fc41:c50f:12::2',
      '',
    ].join('\n'),
  )
  expect(asked[0]?.token).toBe('Bearer of-the-operator')
})

it('prints the same as JSON', async () => {
  server.get('/api/nodes/', () => [aNode(3, 'n1')])
  await listen()
  const { out } = await place.run(['node', 'list', '--json'])
  expect(JSON.parse(out)).toEqual([aNode(3, 'n1')])
})

it.each([
  [['node', 'show', 'n9', '--json'], 'LAB_CLI_UNKNOWN_NAME', 1],
  [['node', 'list', '--frob', '--json'], 'LAB_CLI_USAGE', 2],
  [['vct', 'node', 'n1', 'explode', '--json'], 'LAB_CLI_USAGE', 2],
  [['slice', 'list', '--json'], 'LAB_RESPONSE_INVALID', 1],
])('with --json prints an error as one line of JSON: %j', async (args, expected, exitCode) => {
  server.get('/api/nodes/', () => [aNode(3, 'n1')])
  await listen()
  const { code, out, err } = await place.run(args)
  expect([code, err]).toEqual([exitCode, ''])
  expect(out).toMatch(/^[^\n]*\n$/u)
  const { error } = JSON.parse(out) as { error: { code: string; detail: string } }
  expect(error.code).toBe(expected)
  expect(error.detail).not.toBe('')
})

it('understands a newer server: members, states and kinds that it does not know', async () => {
  const node = aNode(3, 'n1')
  const template = {
    ...{ uri: '/api/templates/9/', id: 9, name: 'mine', description: '', type: 'nixos' },
    ...{ node_archs: ['riscv64'], is_active: true, image_uri: null, image_sha256: null },
    ...{ group: null, is_public: true },
    image_size_bytes: null,
  }
  const resource = { name: 'gpu', unit: 'cards', total: 1, max_req: 1, dflt_req: 0, avail: 1 }
  const newer = {
    ...node,
    state: 'maintenance',
    set_state: 'maintenance',
    arch: 'riscv64',
    resources: [...node.resources, resource],
    mgmt_net: { backend: 'wireguard', addr: 'fd65::2', port: 1 },
    moods: ['glad'],
  }
  server.get('/api/nodes/', () => [newer])
  server.get('/api/templates/', () => [template])
  server.get('/health', () => ({ status: 'splendid', version: '9', parts: {}, more: 1 }))
  control.get('/status', () => ({ ...vctStatus, state: 'paused', mode: 'vm', more: 1 }))
  await listen()
  expect((await place.run(['node', 'list'])).out).toContain('maintenance')
  expect((await place.run(['node', 'show', 'n1'])).out).toContain('gpu')
  expect((await place.run(['template', 'list'])).out).toContain('riscv64')
  expect((await place.run(['vct', 'status'])).out).toContain('paused')
  expect((await place.run(['status'])).out).toContain('splendid')
})

it('renews a slice by its name', async () => {
  server.get('/api/slices/', () => [slice])
  server.post('/api/slices/4/ctl/renew/', () => ({ ...slice, expires_on: '2026-03-01T00:00:00Z' }))
  server.delete('/api/slices/4/', (_request, reply) => reply.code(204).send())
  await listen()
  const renewed = await place.run(['slice', 'renew', 'first'])
  expect(renewed).toEqual({
    code: 0,
    out: 'slice first lives until 2026-03-01T00:00:00Z\n',
    err: '',
  })
  expect((await place.run(['slice', 'release', 'frist'])).err).toContain('did you mean "first"?')
})

it('says what a node is wanted to be, and what it is; asks nothing where no sliver loses anything', async () => {
  const node = aNode(3, 'n1')
  server.get('/api/nodes/', () => [node])
  server.patch('/api/nodes/3/', () => ({ ...node, set_state: 'safe' }))
  await listen()
  const { out } = await place.run(['node', 'set-state', 'n1', 'safe'])
  expect(out).toBe('node n1 is wanted safe; it is production\n')
  expect(asked.at(-1)).toMatchObject({ method: 'PATCH', body: { set_state: 'safe' } })
  expect((await place.run(['node', 'set-state', 'n1', 'debug'])).code).toBe(2)
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
  server.get('/api/nodes/', () => [node])
  server.get('/api/slices/', () => [slice])
  server.get('/api/tokens/', () => [token])
  server.patch('/api/nodes/3/', () => node)
  server.post('/api/nodes/3/ctl/reboot/', (_request, reply) => reply.code(202).send(node))
  server.post('/api/nodes/3/ctl/revoke/', (_request, reply) => reply.code(204).send())
  server.post('/api/slices/4/ctl/reset/', (_request, reply) => reply.code(202).send(slice))
  server.delete('/api/slices/4/', (_request, reply) => reply.code(204).send())
  server.delete('/api/tokens/5/', (_request, reply) => reply.code(204).send())
  await listen()
  const nobody = await place.run(command)
  expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining('give --yes')])
  const no = await place.run(command, { answer: false })
  expect(no.err).toMatch(question)
  expect(no.code).not.toBe(0)
  expect(asked.filter(({ method }) => method !== 'GET')).toEqual([])
  expect((await place.run(command, { answer: true })).out).toBe(done)
  const { method = '', url = '', token: by } = asked.at(-1) ?? {}
  expect([`${method} ${url}`, by]).toEqual([request, 'Bearer of-the-operator'])
  const json = await place.run([...command, '--yes', '--json'])
  expect([json.code, JSON.parse(json.out)]).toEqual([0, expect.anything()])
})

it('finds the node that was probably meant', async () => {
  server.get('/api/nodes/', () => [aNode(3, 'garden'), aNode(4, 'tower')])
  await listen()
  const { code, err } = await place.run(['node', 'show', 'gadren'])
  expect(code).toBe(1)
  expect(err).toContain('did you mean "garden"?')
  expect(err).toMatch(/^error: .* \[LAB_CLI_UNKNOWN_NAME\]\n$/u)
})

it("prints an enrolment token alone, so that it can be piped into a device's set-up", async () => {
  server.get('/api/nodes/', () => [aNode(3, 'n1')])
  server.post('/api/nodes/3/ctl/enrollment-token/', () => {
    return { token: 'clab1.abc', expires_on: '2026-01-01T00:00:00Z' }
  })
  await listen()
  const { out, err } = await place.run(['node', 'enroll-token', 'n1'])
  expect(out).toBe('clab1.abc\n')
  expect(err).toContain('2026-01-01')
})

it('adds a template and uploads its image with its checksum', async () => {
  const template = {
    uri: '/api/templates/9/',
    id: 9,
    name: 'mine',
    description: '',
    type: 'debian',
    node_archs: ['x86_64'],
    ...{ is_active: true, group: null, is_public: true },
    ...{ image_uri: null, image_sha256: null, image_size_bytes: null },
  }
  server.get('/api/templates/', () => [])
  server.post('/api/templates/', () => template)
  server.put('/api/templates/9/ctl/upload-image/', () => template)
  await listen()
  const other = await place.run(['template', 'add', 'mine', await place.write('mine.zip', 'PK')])
  expect([other.code, other.err]).toEqual([2, expect.stringContaining('is no .tar.gz file')])
  expect(asked).toEqual([])
  const bytes = gzipSync(randomBytes(200_000))
  const image = await place.write('mine.tar.gz', bytes)
  const { code, out } = await place.run(['template', 'add', 'mine', image])
  expect(code).toBe(0)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  expect(out).toContain(sha256)
  expect(asked.at(-1)).toMatchObject({ method: 'PUT', body: sha256 })
})

it("passes the server's refusal on, with its code", async () => {
  server.get('/api/slices/', (_request, reply) => {
    const problem = toProblem(new LabError('LAB_AUTH_INVALID_TOKEN', { reason: 'it has expired' }))
    return reply.code(401).type('application/problem+json').send(problem)
  })
  await listen()
  const { code, err } = await place.run(['slice', 'list'])
  expect(code).toBe(1)
  expect(err).toBe(
    'error: the token was refused: it has expired; ask the operator for a new one [LAB_AUTH_INVALID_TOKEN]\n',
  )
})

it('says that a server is not well, and fails', async () => {
  server.get('/health', (_request, reply) =>
    reply.code(503).send({
      status: 'degraded',
      version: '0.1.0',
      parts: { database: { ok: false, detail: 'refuses connections' } },
    }),
  )
  server.get('/api/nodes/', () => [aNode(3, 'n1')])
  control.get('/status', (_request, reply) => reply.code(200).send(vctStatus))
  await listen()
  const { code, out, err } = await place.run(['status'])
  expect(code).toBe(1)
  expect(out).toContain('database: refuses connections')
  expect(out).toContain('nodes: 1 production')
  expect(err).toContain('[LAB_SERVER_UNAVAILABLE]')
})

it('cuts a virtual node off by the control socket, and shows how things are then', async () => {
  control.post('/nodes/n1/cut', () => vctStatus)
  await listen()
  const { code, out } = await place.run(['vct', 'node', 'n1', 'cut'])
  expect(code).toBe(0)
  expect(out).toMatch(/n1 +on +cut +77/u)
  expect(out).toContain('no cgroups here')
})

it('restores a link between two nodes', async () => {
  control.post('/links/n1/n2/restore', () => vctStatus)
  await listen()
  const { code } = await place.run(['vct', 'link', 'n1', 'n2', 'restore', '--json'])
  expect(code).toBe(0)
  expect(asked).toHaveLength(1)
})

it('refuses an action that there is not, as a wrong command line', async () => {
  await listen()
  const { code, err } = await place.run(['vct', 'node', 'n1', 'explode'])
  expect(code).toBe(2)
  expect(err).toContain('kill-agent')
  expect(asked).toHaveLength(0)
})

it('says that no testbed runs, when its credentials have outlived it', async () => {
  await listen()
  await control.close()
  const { code, err } = await place.run(['vct', 'status'])
  expect(code).toBe(1)
  expect(err).toContain('[LAB_VCT_NOT_RUNNING]')
})

it('says where credentials are looked for, when there are none or a file holds none', async () => {
  const env = { HOME: join(place.checkout, 'user') }
  const none = await place.run(['node', 'list'], { env })
  expect(none.code).toBe(1)
  expect(none.err).toContain('[LAB_CREDENTIALS_MISSING]')
  expect(none.err).toContain(join(place.home, 'credentials-operator.json'))
  expect(none.err).toContain('/user/.config/community-lab/credentials.json')
  await place.write('.community-lab/credentials.json', '{"url":')
  const bad = await place.run(['node', 'list'], { env })
  expect([bad.code, bad.err.includes('[LAB_CREDENTIALS_INVALID]')]).toEqual([1, true])
})

it("finds credentials as notebooks do: in the folder where it is run and those above, in the user's settings, then in this checkout", async () => {
  server.get('/api/slices/', () => [])
  const url = await listen()
  const tokenUsed = async (cwd: string) => {
    const env = { HOME: join(place.checkout, 'user') }
    await place.run(['slice', 'list'], { env, cwd })
    return asked.at(-1)?.token
  }
  const folder = join(place.checkout, '..')
  expect(await tokenUsed(folder)).toBe('Bearer of-the-operator')
  const settings = 'user/.config/community-lab/credentials.json'
  await place.write(settings, JSON.stringify({ url, token: 'of-the-settings' }))
  expect(await tokenUsed(folder)).toBe('Bearer of-the-settings')
  const near = 'project/.community-lab/credentials.json'
  const later = { url, token: 'of-the-project', written_by: 'a later version' }
  await place.write(near, JSON.stringify(later))
  expect(await tokenUsed(join(place.checkout, 'project/deep'))).toBe('Bearer of-the-project')
})

it('uses the testbed that the environment names', async () => {
  server.get('/api/slices/', () => [])
  const url = await listen()
  const env = { COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: 'mine' }
  const { out } = await place.run(['slice', 'list'], { env })
  expect(out).toContain('no slices yet')
  expect(asked[0]?.token).toBe('Bearer mine')
})

it('says what cannot be reached, and asks whether the testbed runs', async () => {
  const env = { COMMUNITY_LAB_URL: 'http://127.0.0.1:9', COMMUNITY_LAB_TOKEN: 'mine' }
  const { code, err } = await place.run(['node', 'list'], { env })
  expect(code).toBe(1)
  expect(err).toContain('http://127.0.0.1:9')
  expect(err).toContain('[LAB_CONNECTION_FAILED]')
})
