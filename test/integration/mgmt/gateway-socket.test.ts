import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ensureTincKey } from '@community-lab/contract/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serveGateway } from '../../../server/src/gateway/socket.ts'
import { connectGateway } from '../../../server/src/mgmt/gateway-client.ts'
import { writeNetwork } from '../../../server/src/mgmt/tinc-folder.ts'
import { eventually } from '../../support/eventually.ts'

let folder: string
let socket: string
let client: AbortController
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  socket = join(folder, 'gateway.sock')
  client = new AbortController()
})

afterEach(async () => {
  client.abort()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

/** Run a program until it says that it is ready. */
async function run(program: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', program, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

it('outlives a gateway that is killed with a request unread', async () => {
  const gateway = await run(`
    require('net').createServer({ pauseOnConnect: true }, () => undefined)
      .listen(process.argv[1], () => console.log('ready'))`)
  const lost: string[] = []
  const connected = Promise.withResolvers<null>()
  const line = connectGateway({
    socket,
    signal: client.signal,
    onConnected: () => connected.resolve(null),
    onEvent: () => undefined,
    onLost: (reason) => lost.push(reason),
  })
  await connected.promise
  const asked = line.ask({ do: 'status' })
  gateway.kill('SIGKILL')
  await expect(asked).rejects.toMatchObject({ code: 'LAB_GATEWAY_UNAVAILABLE' })
  expect(lost).toEqual([expect.stringContaining('ECONNRESET')])
})

it('leaves a gateway that says what it does not understand, and comes again', async () => {
  await run(`
    require('net').createServer((client) => void client.on('error', () => undefined).write('{"nonsense":1}\\n'))
      .listen(process.argv[1], () => console.log('ready'))`)
  const lost: string[] = []
  connectGateway({
    socket,
    signal: client.signal,
    onConnected: () => undefined,
    onEvent: () => undefined,
    onLost: (reason) => lost.push(reason),
  })
  await eventually(() => expect(lost.length).toBeGreaterThan(1))
  expect(new Set(lost)).toEqual(new Set(['not a line of this protocol']))
})

it('serves on when a server is killed with events unread', async () => {
  const status = { answer: 'status', ok: false, reason: 'it only listens' } as const
  const gateway = await serveGateway({
    socket,
    ownerUid: process.getuid?.() ?? 0,
    answer: () => Promise.resolve(status),
  })
  const server = await run(`
    const client = require('net').connect(process.argv[1], () => console.log('ready')).pause()`)
  const event = { event: 'unknown_host', name: 'n1', address: '192.0.2.1' } as const
  for (let n = 0; n < 100; n++) gateway.publish(event)
  const ended = once(server, 'exit')
  server.kill('SIGKILL')
  await ended
  const line = connectGateway({
    socket,
    signal: client.signal,
    onConnected: () =>
      void line.ask({ do: 'status' }).catch((error: unknown) => answered.resolve(error)),
    onEvent: () => undefined,
    onLost: () => undefined,
  })
  const answered = Promise.withResolvers<unknown>()
  expect(await answered.promise).toMatchObject({ details: { reason: 'it only listens' } })
  await gateway.stop()
})

describe('a gateway as a process', () => {
  const main = join(import.meta.dirname, '../../../server/src/gateway/main.ts')

  async function start(stdout: 'ignore' | number) {
    const named = { SOCKET: socket, TINC_DIR: join(folder, 'tinc'), RUN_DIR: join(folder, 'run') }
    const settings = Object.entries(named).map(([name, value]) => [
      `COMMUNITY_LAB_GATEWAY_${name}`,
      value,
    ])
    const own = Object.fromEntries(settings) as Record<string, string>
    const gateway = spawn(process.execPath, [main], {
      env: { ...own, PATH: process.env['PATH'] },
      stdio: ['ignore', stdout, 'inherit'],
    })
    children.push(gateway)
    const connected = Promise.withResolvers<null>()
    const line = connectGateway({
      socket,
      signal: client.signal,
      onConnected: () => connected.resolve(null),
      onEvent: () => undefined,
      onLost: () => undefined,
    })
    await connected.promise
    return { gateway, line }
  }

  it('says in one line what keeps it from starting, as server and agent do', async () => {
    const gateway = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'], COMMUNITY_LAB_GATEWAY_SOCKET: socket },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(gateway)
    const [stdout, stderr, ended] = await Promise.all([
      text(gateway.stdout),
      text(gateway.stderr),
      once(gateway, 'exit'),
    ])
    expect(stdout).toBe('')
    expect(stderr).toMatch(
      /^community-lab gateway: COMMUNITY_LAB_GATEWAY_TINC_DIR is not set.* \[LAB_CONFIG_MISSING\]\n$/u,
    )
    expect(ended).toEqual([1, null])
  })

  it('answers when its log can be written nowhere, as on a full disk', async () => {
    await using full = await open('/dev/full', 'w')
    const { gateway, line } = await start(full.fd)
    expect(await line.ask({ do: 'status' })).toMatchObject({ state: 'waiting' })
    const ended = once(gateway, 'exit')
    gateway.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })

  it('refuses to reload a folder that it cannot read, so that its server asks again', async () => {
    const tincDir = join(folder, 'tinc')
    await ensureTincKey(tincDir)
    await writeNetwork(tincDir, { name: 'server_2', prefix: 'fd65:fc41:c50f::/48', port: 655 })
    await writeFile(join(tincDir, 'hosts'), '')
    const { line } = await start('ignore')
    await expect(line.ask({ do: 'reload', hosts: ['node_1'] })).rejects.toMatchObject({
      code: 'LAB_GATEWAY_REFUSED',
      message: expect.stringContaining('ENOTDIR') as unknown,
    })
    expect(await line.ask({ do: 'status' })).toMatchObject({ state: 'waiting' })
  })
})
