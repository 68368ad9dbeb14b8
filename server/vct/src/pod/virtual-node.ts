import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, nodeManagementAddress, vctManagementPrefix } from '@community-lab/contract'
import type { VctNode } from '@community-lab/contract'
import { nodeRouter } from '../network/babel.ts'
import type { Mesh } from '../network/mesh.ts'
import { runScript, systemPath } from '../network/namespace.ts'
import { superviseRouter } from '../network/router.ts'
import { communityAddress, nodeName, publicPrefix } from '../network/topology.ts'
import { LogFile } from '../process/log-file.ts'
import { powerOn, type NodeMachine } from '../process/node-machine.ts'
import { supervise, type Supervised } from '../process/supervised.ts'
import type { PodConfiguration } from './configuration.ts'
import type { Folders } from './folders.ts'
import { podPaths } from './mounts.ts'
import { routerFolder } from './server-part.ts'

/** A node of the virtual testbed: a machine, its router and its agent. Its actions must not overlap; the testbed queues them. */
export interface VirtualNode {
  readonly name: string
  readonly n: number
  /** Tell who it is to the server, and the token for its first contact; null when it has enrolled before. */
  register(id: number, enrollmentToken: string | null): void
  /** Whether its agent has enrolled. */
  readonly isEnrolled: boolean
  readonly agent: Pick<Supervised, 'name' | 'deaths' | 'lastReason' | 'lastLine' | 'logFile'>
  /** Power the machine on, with its router. */
  powerOn(signal: AbortSignal): Promise<void>
  startAgent(signal: AbortSignal): Promise<void>
  /** Power it off: everything on it ends at once, its data folder stays. */
  powerOff(): Promise<void>
  /** Take its links down, or up again. */
  setLinks(state: 'up' | 'cut'): Promise<void>
  killAgent(): Promise<void>
  /** End its agent in good order, for good. */
  stopAgent(graceMs: number): Promise<void>
  status(): VctNode
}

/** What a {@link VirtualNode} is made of. */
export interface VirtualNodeOptions {
  readonly n: number
  readonly configuration: PodConfiguration
  readonly folders: Folders
  readonly mesh: Mesh
}

/** Source: `/etc/iproute2/rt_protos`; by number, for not every iproute2 names it. */
const babelProtocol = '42'

/** Make a node; it is off. */
export async function createVirtualNode(options: VirtualNodeOptions): Promise<VirtualNode> {
  const { n, folders, mesh } = options
  const name = nodeName(n)
  const dataDir = folders.nodeData(name)
  await mkdir(dataDir, { recursive: true })
  // Slivers are other users than the agent and must get to their roots through here.
  await chmod(dataDir, 0o711)
  const log = new LogFile(folders.log(name))
  let id = n
  let token: string | null = null
  let machine: NodeMachine | null = null
  let links: 'up' | 'cut' = 'up'
  const inside = (argv: readonly string[]) => {
    if (machine === null) throw new LabError('LAB_VCT_NODE_OFF', { node: name, action: 'this' })
    return machine.inside(argv)
  }
  const hasIdentity = () => existsSync(join(dataDir, 'identity.json'))
  const agent: Supervised = supervise({
    name: `the agent of ${name}`,
    log,
    wrapped: 'nsenter',
    command: () => ({
      argv: inside([podPaths.node, join(podPaths.app, 'agent/dist/main.bundle.js')]),
      cwd: '/',
      env: agentEnv(options, hasIdentity() ? null : token),
    }),
  })
  const router = superviseRouter({
    name,
    router: nodeRouter(mesh.topology, n),
    log: new LogFile(folders.log(`${name}-router`)),
    dir: routerFolder,
    inside,
  })
  const applyLinks = () => mesh.setNode(n, machine === null || links === 'cut' ? 'cut' : 'up')

  return {
    name,
    n,
    get isEnrolled() {
      return hasIdentity()
    },
    agent,
    register(registeredId, enrollmentToken) {
      id = registeredId
      token = enrollmentToken
    },
    async powerOn(signal) {
      if (machine !== null) return
      machine = await powerOn(name, signal)
      await applyLinks()
      await router.start(signal)
    },
    startAgent: (signal) => agent.start(signal),
    async powerOff() {
      if (machine === null) return
      const { powerOff } = machine
      // Nobody is to be started again; the machine's end is theirs.
      const stopped = [agent.kill('stay-down'), router.kill('stay-down')]
      await powerOff()
      await Promise.all(stopped)
      machine = null
      await applyLinks()
      const flush = ['ip', '-6', 'route', 'flush', 'proto', babelProtocol]
      await runScript({ namespace: name, commands: [flush] })
    },
    async setLinks(state) {
      links = state
      await applyLinks()
    },
    async killAgent() {
      if (machine === null)
        throw new LabError('LAB_VCT_NODE_OFF', { node: name, action: 'kill-agent' })
      await agent.kill('restart')
    },
    stopAgent: (graceMs) => agent.stop(graceMs),
    status: () => ({
      name,
      id,
      power: machine === null ? 'off' : 'on',
      links,
      agent_pid: agent.pid,
      community_addr: communityAddress(n),
      mgmt_addr: nodeManagementAddress(vctManagementPrefix, id),
    }),
  }

  function agentEnv(
    { configuration: { agentEnv: settings, cgroup } }: VirtualNodeOptions,
    enrollmentToken: string | null,
  ): Record<string, string> {
    return {
      PATH: systemPath,
      LANG: 'C.UTF-8',
      HOME: '/root',
      ...settings,
      COMMUNITY_LAB_AGENT_DATA: join(podPaths.data, 'nodes', name),
      COMMUNITY_LAB_AGENT_PUBLIC_PREFIX: publicPrefix(n),
      ...(cgroup === null ? {} : { COMMUNITY_LAB_AGENT_CGROUP: `${cgroup}/${name}` }),
      ...(enrollmentToken === null
        ? {}
        : { COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: enrollmentToken }),
    }
  }
}
