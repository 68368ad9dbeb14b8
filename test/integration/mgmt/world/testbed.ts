import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { nodeManagementAddress, nodeManagementSubnet, nodeTincName } from '@community-lab/contract'
import { ensureTincKey } from '@community-lab/contract/host'
import { managementPlugin } from '../../../../server/src/mgmt/management.ts'
import { createCommunity, type Community } from './community.ts'
import { startProcess, type WatchedProcess } from './process.ts'
import { createRegistry, type HandMadeRegistry } from './registry.ts'
import { succeeds } from './shell.ts'

export const prefix = 'fd65:fc41:c50f::/48'
export const serverAddress = 'fd65:fc41:c50f::2'

export type Device = 'auto' | 'tun' | 'raw_socket'

/** A server with its gateway, and nodes, joined by a real tinc network. */
export interface MgmtTestbed extends AsyncDisposable {
  readonly dir: string
  readonly serverNetns: string
  readonly registry: HandMadeRegistry
  readonly app: FastifyInstance
  readonly community: Community
  readonly gateway: WatchedProcess
  startGateway(): WatchedProcess
  /** Start or replace the server's app, as when the server restarts. */
  startServer(): Promise<FastifyInstance>
  /** Make a node, its key and (unless `enrolled` is false) its entry in the registry. */
  addNode(id: number, enrolled?: boolean): Promise<TestNode>
}

export interface TestNode {
  readonly id: number
  readonly netns: string
  readonly dir: string
  readonly address: string
  readonly pubkey: string
  start(device?: Device): WatchedProcess
}

export async function createTestbed(device: Device = 'auto'): Promise<MgmtTestbed> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'cl-mgmt-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const community = stack.use(await createCommunity())
  const serverNetns = await community.attach(0x5e)
  const registry = createRegistry()
  const gatewaySocket = join(dir, 'gateway.sock')
  let gateway: WatchedProcess | null = null
  let app: FastifyInstance | null = null
  const processes: WatchedProcess[] = []
  stack.defer(async () => {
    await app?.close()
    for (const one of processes.reverse()) await one.kill('SIGTERM')
  })

  function startGateway(): WatchedProcess {
    const main = join(import.meta.dirname, '../../../../server/src/gateway/main.ts')
    const argv = ['ip', 'netns', 'exec', serverNetns, process.execPath, main]
    gateway = startProcess(argv, {
      COMMUNITY_LAB_GATEWAY_SOCKET: gatewaySocket,
      COMMUNITY_LAB_GATEWAY_TINC_DIR: join(dir, 'tinc'),
      COMMUNITY_LAB_GATEWAY_TINC_DEVICE: device,
      COMMUNITY_LAB_GATEWAY_RUN_DIR: join(dir, 'gateway'),
    })
    processes.push(gateway)
    return gateway
  }

  async function startServer(): Promise<FastifyInstance> {
    await app?.close()
    app = Fastify()
    app.decorate('registry', registry)
    await app.register(managementPlugin, {
      dataDir: dir,
      prefix,
      gatewaySocket,
      tincAddress: 'fd77::5e',
      tincPort: 655,
    })
    await app.ready()
    return app
  }

  await startServer()
  startGateway()
  const owned = stack.move()
  const need = <T>(value: T | null): T => {
    if (value === null) throw new Error('not started')
    return value
  }
  return {
    dir,
    serverNetns,
    registry,
    community,
    startGateway,
    startServer,
    get gateway() {
      return need(gateway)
    },
    get app() {
      return need(app)
    },
    async addNode(id, enrolled = true) {
      const netns = await community.attach(id)
      const nodeDir = join(dir, `n${id}`)
      const { pubkey } = await ensureTincKey(nodeDir)
      const subnets = [nodeManagementSubnet(prefix, id)]
      if (enrolled) {
        const hosts = await registry.tincHosts()
        registry.setHosts([...hosts, { name: nodeTincName(id), pubkey, subnets }])
      }
      return {
        id,
        netns,
        dir: nodeDir,
        address: nodeManagementAddress(prefix, id),
        pubkey,
        start(nodeDevice = device) {
          const tinc = need(app).management.serverTincHost()
          const server = {
            url: `https://[${serverAddress}]:8443`,
            certificate_sha256: '0'.repeat(64),
            mgmt_addr: serverAddress,
            tinc,
          }
          const options = { dir: nodeDir, nodeId: id, prefix, server, device: nodeDevice }
          const main = join(import.meta.dirname, 'node-process.ts')
          const started = startProcess([
            ...['ip', 'netns', 'exec', netns, process.execPath, main],
            JSON.stringify(options),
          ])
          processes.push(started)
          return started
        },
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Wait for a node's server connection to become up or down. */
export function stateOf(node: WatchedProcess, state: 'up' | 'down', after = 0): Promise<string> {
  // A node may be up by the time it says that it has started.
  return node.line((line) => line.includes(`"state":"${state}"`), after)
}

/** Whether an address answers a ping from a namespace, within three seconds. */
export function reaches(netns: string, address: string): Promise<boolean> {
  return succeeds(`ip netns exec ${netns} ping -6 -n -c 1 -W 3 ${address}`)
}

/** Whether it does so soon: the two sides of a connection notice that it is up one after the other. */
export async function comesToReach(netns: string, address: string): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if (await reaches(netns, address)) return true
    await delay(100)
  }
  return false
}
