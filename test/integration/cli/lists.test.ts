import { LabError, toProblem } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { aNode } from '../../support/node-object.ts'
import { useFakes } from './world/fakes.ts'
import { vctStatus } from './world/vct-status.ts'

const fakes = useFakes()

it('lists nodes in columns, by their ids, as the operator', async () => {
  fakes.server.get('/api/nodes/', () => [aNode(12, 'n2'), aNode(3, 'n1')])
  await fakes.listen()
  const { code, out } = await fakes.place.run(['node', 'list'])
  expect(code).toBe(0)
  expect(out).toBe(
    [
      'ID  NAME  STATE       SLIVERS  FREE MIB  SEEN  MANAGEMENT',
      ' 3  n1    production        0       448  -     fd65:fc41:c50f:3::2',
      '12  n2    production        0       448  -     fd65:fc41:c50f:12::2',
      '',
    ].join('\n'),
  )
  expect(fakes.asked[0]?.token).toBe('Bearer of-the-operator')
})

it('prints the same as JSON', async () => {
  fakes.server.get('/api/nodes/', () => [aNode(3, 'n1')])
  await fakes.listen()
  const { out } = await fakes.place.run(['node', 'list', '--json'])
  expect(JSON.parse(out)).toEqual([aNode(3, 'n1')])
})

it.each([
  [['node', 'show', 'n9', '--json'], 'LAB_CLI_UNKNOWN_NAME', 1],
  [['node', 'list', '--frob', '--json'], 'LAB_CLI_USAGE', 2],
  [['vct', 'node', 'n1', 'explode', '--json'], 'LAB_CLI_USAGE', 2],
  [['slice', 'list', '--json'], 'LAB_RESPONSE_INVALID', 1],
])('with --json prints an error as one line of JSON: %j', async (args, expected, exitCode) => {
  fakes.server.get('/api/nodes/', () => [aNode(3, 'n1')])
  await fakes.listen()
  const { code, out, err } = await fakes.place.run(args)
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
  fakes.server.get('/api/nodes/', () => [newer])
  fakes.server.get('/api/templates/', () => [template])
  fakes.server.get('/health', () => ({ status: 'splendid', version: '9', parts: {}, more: 1 }))
  fakes.control.get('/status', () => ({ ...vctStatus, state: 'paused', mode: 'vm', more: 1 }))
  await fakes.listen()
  expect((await fakes.place.run(['node', 'list'])).out).toContain('maintenance')
  expect((await fakes.place.run(['node', 'show', 'n1'])).out).toContain('gpu')
  expect((await fakes.place.run(['template', 'list'])).out).toContain('riscv64')
  expect((await fakes.place.run(['vct', 'status'])).out).toContain('paused')
  expect((await fakes.place.run(['status'])).out).toContain('splendid')
})

it('finds the node that was probably meant', async () => {
  fakes.server.get('/api/nodes/', () => [aNode(3, 'garden'), aNode(4, 'tower')])
  await fakes.listen()
  const { code, err } = await fakes.place.run(['node', 'show', 'gadren'])
  expect(code).toBe(1)
  expect(err).toContain('did you mean "garden"?')
  expect(err).toMatch(/^error: .* \[LAB_CLI_UNKNOWN_NAME\]\n$/u)
})

it("passes the server's refusal on, with its code", async () => {
  fakes.server.get('/api/slices/', (_request, reply) => {
    const problem = toProblem(new LabError('LAB_AUTH_INVALID_TOKEN', { reason: 'it has expired' }))
    return reply.code(401).type('application/problem+json').send(problem)
  })
  await fakes.listen()
  const { code, err } = await fakes.place.run(['slice', 'list'])
  expect(code).toBe(1)
  expect(err).toBe(
    'error: the token was refused: it has expired; ask the operator for a new one [LAB_AUTH_INVALID_TOKEN]\n',
  )
})

it('says that a server is not well, and fails', async () => {
  fakes.server.get('/health', (_request, reply) =>
    reply.code(503).send({
      status: 'degraded',
      version: '0.1.0',
      parts: { database: { ok: false, detail: 'refuses connections' } },
    }),
  )
  fakes.server.get('/api/nodes/', () => [aNode(3, 'n1')])
  fakes.control.get('/status', (_request, reply) => reply.code(200).send(vctStatus))
  await fakes.listen()
  const { code, out, err } = await fakes.place.run(['status'])
  expect(code).toBe(1)
  expect(out).toContain('database: refuses connections')
  expect(out).toContain('nodes: 1 production')
  expect(err).toContain('[LAB_SERVER_UNAVAILABLE]')
})
