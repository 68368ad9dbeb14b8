import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { nodeManagementSubnet, nodeTincName } from '@community-lab/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GatewayRequest, GatewayStatus } from '../../../server/src/gateway/protocol.ts'
import { makeRunFolder, writeRunFolder } from '../../../server/src/gateway/run-folder.ts'
import { serveGateway, type GatewaySocket } from '../../../server/src/gateway/socket.ts'
import { readSomeHosts, readTincSource } from '../../../server/src/gateway/source-folder.ts'
import { managementPlugin } from '../../../server/src/mgmt/management.ts'
import { writeHosts } from '../../../server/src/mgmt/tinc-folder.ts'
import type { TincHost } from '../../../server/src/registry/registry.ts'
import { createRegistry, type HandMadeRegistry } from './world/registry.ts'

const prefix = 'fd65:fc41:c50f::/48'
const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pubkey = publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()

let folder: string
let tincDir: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cl-test-'))
  tincDir = join(folder, 'tinc')
})
afterEach(() => rm(folder, { recursive: true }))

function hostOf(id: number): TincHost {
  return { name: nodeTincName(id), pubkey, subnets: [nodeManagementSubnet(prefix, id)] }
}

const standing: GatewayStatus = {
  state: 'running',
  device: 'tun',
  detail: null,
  pid: 1,
  interface: 'clab-server',
  hosts: 3,
  rejected: [],
}

/** The server's part of the management network, with a gateway that only says yes. */
interface World extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly registry: HandMadeRegistry
  /** What the gateway was asked since the last look. */
  asked(): readonly GatewayRequest[]
  /** Let the gateway refuse the next request. */
  refuseOnce(): void
}

async function startWorld(hosts: readonly TincHost[]): Promise<World> {
  const registry = createRegistry()
  registry.setHosts(hosts)
  const requests: GatewayRequest[] = []
  let isRefusing = false
  const socket = join(folder, 'gateway.sock')
  const gateway: GatewaySocket = await serveGateway({
    socket,
    ownerUid: process.getuid?.() ?? 0,
    answer(request) {
      requests.push(request)
      if (!isRefusing) return Promise.resolve({ answer: request.do, ok: true, status: standing })
      isRefusing = false
      return Promise.resolve({ answer: request.do, ok: false, reason: 'not now' })
    },
  })
  const app = Fastify()
  app.decorate('registry', registry)
  await app.register(managementPlugin, {
    dataDir: folder,
    prefix,
    gatewaySocket: socket,
    tincAddress: '2001:db8::1',
    tincPort: 655,
  })
  await app.ready()
  while (!app.management.health().ok) {
    await app.management.updated()
    // The connection to the gateway is made in a turn of the event loop.
    await setImmediate()
  }
  requests.splice(0)
  return {
    app,
    registry,
    asked: () => requests.splice(0).map(({ id: _, ...request }) => request),
    refuseOnce: () => void (isRefusing = true),
    async [Symbol.asyncDispose]() {
      await app.close()
      await gateway.stop()
    },
  }
}

const files = async (): Promise<string[]> => (await readdir(join(tincDir, 'hosts'))).sort()

describe('a change of a host', () => {
  it('has the file of that host written, and that one read by the gateway; the others are not looked at', async () => {
    await using world = await startWorld([hostOf(1), hostOf(2)])
    const { app, registry } = world
    expect(await files()).toEqual(['node_1', 'node_2'])
    // An update that looked at the file of node 1 would write it again.
    await unlink(join(tincDir, 'hosts', 'node_1'))
    registry.setHosts([hostOf(1), hostOf(2), hostOf(3)])
    await app.management.updated()
    expect(await files()).toEqual(['node_2', 'node_3'])
    expect(world.asked()).toEqual([{ do: 'reload', hosts: ['node_3'] }])
    registry.setHosts([hostOf(1), hostOf(3)])
    await app.management.updated()
    expect(await files()).toEqual(['node_3'])
    expect(world.asked()).toEqual([{ do: 'reload', hosts: ['node_2'] }])
  })

  it('that the gateway did not take is followed by a look at all hosts', async () => {
    await using world = await startWorld([hostOf(1)])
    const { app, registry } = world
    world.refuseOnce()
    registry.setHosts([hostOf(1), hostOf(2)])
    await app.management.updated()
    expect(world.asked()).toEqual([{ do: 'reload', hosts: ['node_2'] }, { do: 'reload' }])
    expect(app.management.health()).toEqual({ ok: true })
  })

  it('comes with many others: then the gateway reads all', async () => {
    await using world = await startWorld([])
    const { app, registry } = world
    registry.setHosts(Array.from({ length: 201 }, (_, index) => hostOf(index + 1)))
    await app.management.updated()
    expect(world.asked()).toEqual([{ do: 'reload' }])
    expect(await files()).toHaveLength(201)
  })
})

describe('the gateway', () => {
  it('reads the hosts that it is told of, and keeps the others as they were', async () => {
    await using world = await startWorld([hostOf(1), hostOf(2), hostOf(3)])
    await world.app.close()
    const runDir = join(folder, 'run')
    await makeRunFolder(runDir)
    const all = await readTincSource(tincDir)
    if (typeof all === 'string') throw new Error(all)
    await writeRunFolder(runDir, all, { device: 'tun' })
    await writeHosts(tincDir, [hostOf(4)])
    const among = ['node_2', 'node_4', '../tinc/network.json']
    const some = await readSomeHosts(tincDir, all, among)
    if (typeof some === 'string') throw new Error(some)
    expect([...some.hosts.keys()].sort()).toEqual(['node_1', 'node_3', 'node_4'])
    expect(some.rejected).toEqual([])
    expect(await writeRunFolder(runDir, some, { device: 'tun', among })).toBe('hosts')
    const written = (await readdir(join(runDir, 'hosts'))).sort()
    expect(written).toEqual(['node_1', 'node_3', 'node_4', all.network.name])
    expect(await writeRunFolder(runDir, some, { device: 'tun' })).toBe('none')
  })
})
