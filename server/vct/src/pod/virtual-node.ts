import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  createQueue,
  LabError,
  nodeManagementAddress,
  vctManagementPrefix,
} from '@community-lab/contract'
import type { VctClock, VctNode } from '@community-lab/contract'
import type { EnrollingNode } from '../bootstrap/nodes.ts'
import { nodeRouter } from '../network/babel.ts'
import type { Mesh } from '../network/mesh.ts'
import { runScript, systemPath } from '../network/namespace.ts'
import { routerSocket, superviseRouter } from '../network/router.ts'
import { communityAddress, nodeName, publicPrefix } from '../network/topology.ts'
import { LogFile } from '../process/log-file.ts'
import { clockFile, createNodeClock } from './node-clock.ts'
import { powerOn, rebootCommand, type NodeMachine } from './node-machine.ts'
import { supervise, type Supervised } from '../process/supervised.ts'
import type { PodConfiguration } from './configuration.ts'
import type { Folders } from './folders.ts'
import { podPaths } from './mounts.ts'
import { routerFolder } from './server-part.ts'

/**
 * A node of the virtual testbed: a machine, its router and its agent. Its actions run one after another. A machine that reboots starts again
 * automatically, with its agent if the agent was running. A machine that dies stays off.
 */
export interface VirtualNode extends EnrollingNode {
  readonly n: number
  readonly agent: Pick<
    Supervised,
    'name' | 'isWanted' | 'deaths' | 'lastReason' | 'lastLine' | 'logFile'
  >
  /** Power the machine on, with its router. */
  powerOn(signal: AbortSignal): Promise<void>
  startAgent(signal: AbortSignal): Promise<void>
  /** Reboot the machine as its own software would. All processes on it end, and it starts again with another boot id. */
  reboot(signal: AbortSignal): Promise<void>
  /** Power the machine off. All processes on it end at once. Its data folder stays. */
  powerOff(): Promise<void>
  /** Cut its links, or restore them. */
  setLinks(state: 'up' | 'cut'): Promise<void>
  killAgent(): Promise<void>
  /** Set its wall clock at once, and its drift from its next start on. */
  setClock(clock: VctClock): Promise<void>
  /** End its agent properly, without starting it again. */
  stopAgent(graceMs: number): Promise<void>
  status(): VctNode
}

/** Options of {@link createVirtualNode}. */
export interface VirtualNodeOptions {
  readonly n: number
  readonly configuration: PodConfiguration
  readonly folders: Folders
  readonly mesh: Mesh
}

/** The routing protocol of babeld's routes, as a number, because not every iproute2 knows its name. Source: `/etc/iproute2/rt_protos`. */
const babelProtocol = '42'

/** Create a node. It is off. */
export async function createVirtualNode(options: VirtualNodeOptions): Promise<VirtualNode> {
  const { n, folders, mesh } = options
  const name = nodeName(n)
  const dataDir = folders.nodeData(name)
  await mkdir(dataDir, { recursive: true })
  // Slivers are other users than the agent, and reach their root file systems through this folder.
  await chmod(dataDir, 0o711)
  const log = new LogFile(folders.log(name))
  let id = n
  let token: string | null = null
  let machine: NodeMachine | null = null
  let links: 'up' | 'cut' = 'up'
  const clock = createNodeClock(join(dataDir, clockFile))
  const inOrder = createQueue()
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
      argv: inside([join(podPaths.app, 'agent/bin/community-lab-agent')]),
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
    powerOn: (signal) => inOrder(() => turnOn(signal)),
    startAgent: (signal) => inOrder(() => agent.start(signal)),
    powerOff: () => inOrder(turnOff),
    setLinks: (state) =>
      inOrder(async () => {
        links = state
        await applyLinks()
      }),
    reboot: (signal) =>
      inOrder(async () => {
        if (machine === null)
          throw new LabError('LAB_VCT_NODE_OFF', { node: name, action: 'reboot' })
        await machine.reboot()
        await noteEnd('rebooted', signal)
      }),
    killAgent: () =>
      inOrder(async () => {
        if (machine === null)
          throw new LabError('LAB_VCT_NODE_OFF', { node: name, action: 'kill-agent' })
        await agent.kill('restart')
      }),
    setClock: (wanted) => inOrder(() => clock.set(wanted)),
    stopAgent: (graceMs) => agent.stop(graceMs),
    status: () => ({
      name,
      id,
      power: machine === null ? 'off' : 'on',
      links,
      agent_pid: agent.pid,
      community_addr: communityAddress(n),
      mgmt_addr: nodeManagementAddress(vctManagementPrefix, id),
      clock: clock.wanted,
    }),
  }

  async function turnOn(signal: AbortSignal): Promise<void> {
    if (machine !== null) return
    await clock.start()
    const started = await powerOn({ name, place: podPaths.machine, signal })
    machine = started
    void started.ended.then((how) =>
      // After an intentional power-off, `machine` is null or a newer machine by now. Then there is nothing to do.
      inOrder(() => (machine === started ? noteEnd(how, signal) : Promise.resolve())).catch(
        (error: unknown) => log.note(`${name} is off after its machine ended: ${String(error)}`),
      ),
    )
    await applyLinks()
    await router.start(signal)
  }

  async function turnOff(): Promise<void> {
    if (machine === null) return
    const { powerOff } = machine
    // The end of the machine also ends the agent and the router. Neither may be started again after it.
    const stopped = [agent.kill('stay-down'), router.kill('stay-down')]
    await powerOff()
    await Promise.all(stopped)
    machine = null
    await applyLinks()
    const flush = ['ip', '-6', 'route', 'flush', 'proto', babelProtocol]
    await runScript({ namespace: name, commands: [flush] })
  }

  /** Handle an end of the machine that was not a power-off: it has rebooted, or it has died. */
  async function noteEnd(how: 'rebooted' | 'off', signal: AbortSignal): Promise<void> {
    const agentRan = agent.isWanted
    log.note(how === 'rebooted' ? `${name} reboots` : `the machine of ${name} has died`)
    await turnOff()
    if (how === 'off' || signal.aborted) return
    await turnOn(signal)
    if (agentRan) await agent.start(signal)
  }

  function agentEnv(
    { configuration: { agentEnv: settings, cgroup, lends } }: VirtualNodeOptions,
    enrollmentToken: string | null,
  ): Record<string, string> {
    return {
      PATH: `${dirname(podPaths.node)}:${systemPath}`,
      LANG: 'C.UTF-8',
      HOME: '/root',
      NODE_COMPILE_CACHE: podPaths.compiled,
      COMMUNITY_LAB_AGENT_LENDS: lends,
      ...settings,
      COMMUNITY_LAB_AGENT_DATA: join(podPaths.data, 'nodes', name),
      COMMUNITY_LAB_AGENT_CLOCK_FILE: join(podPaths.data, 'nodes', name, clockFile),
      COMMUNITY_LAB_AGENT_PUBLIC_PREFIX: publicPrefix(n),
      COMMUNITY_LAB_AGENT_BABEL_SOCKET: routerSocket(routerFolder, name),
      COMMUNITY_LAB_AGENT_NR_ON_HOST: String(n),
      COMMUNITY_LAB_AGENT_REBOOT_COMMAND: rebootCommand,
      ...(cgroup === null ? {} : { COMMUNITY_LAB_AGENT_CGROUP: `${cgroup}/${name}` }),
      ...(enrollmentToken === null
        ? {}
        : { COMMUNITY_LAB_AGENT_ENROLLMENT_TOKEN: enrollmentToken }),
    }
  }
}
