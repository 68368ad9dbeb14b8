import { join } from 'node:path'
import type { VctStatus } from '@community-lab/contract'
import { createMesh, probeShaping, type Mesh } from '../network/mesh.ts'
import { superviseRelay } from '../network/relay.ts'
import { planTopology, type Topology } from '../network/topology.ts'
import { LogFile } from '../process/log-file.ts'
import type { PodConfiguration } from './configuration.ts'
import type { Folders } from './folders.ts'
import { podPaths } from './mounts.ts'
import { createServerPart, type ServerPart } from './server-part.ts'
import { createVirtualNode, type VirtualNode } from './virtual-node.ts'

/** The parts of a testbed that exist once its network exists. */
export interface Testbed {
  readonly mesh: Mesh
  readonly nodes: readonly VirtualNode[]
}

/** The parts of a testbed that exist from the beginning. */
export interface TestbedContext {
  readonly configuration: PodConfiguration
  readonly folders: Folders
  readonly topology: Topology
  readonly server: ServerPart
}

/** Plan a testbed. Nothing is created yet. */
export function planTestbed(configuration: PodConfiguration, folders: Folders): TestbedContext {
  const topology = planTopology(configuration.nodes)
  const server = createServerPart(configuration, folders, topology)
  return { configuration, folders, topology, server }
}

/**
 * Create the community network and its nodes, and power them on with their routers. Their agents are not started yet.
 *
 * @throws {@link LabError} LAB_VCT_COMMAND_FAILED, LAB_VCT_SHAPING_MISMATCH, LAB_VCT_PROCESS_ENDED.
 */
export async function createNetwork(
  context: TestbedContext,
  signal: AbortSignal,
): Promise<Testbed> {
  const { configuration, folders, topology, server } = context
  const mesh = await createMesh(topology, await probeShaping(signal), signal)
  const starting = [server.router.start(signal)]
  if (mesh.shaping === 'relay') {
    const log = new LogFile(folders.log('relay'))
    starting.push(superviseRelay({ topology, node: podPaths.node, log }).start(signal))
  }
  const nodes = await Promise.all(
    topology.nodes.map((n) => createVirtualNode({ n, configuration, folders, mesh })),
  )
  await Promise.all([...starting, ...nodes.map((node) => node.powerOn(signal))])
  return { mesh, nodes }
}

/** The parts of a status besides the network. */
export interface StatusOptions {
  readonly state: VctStatus['state']
  readonly startedOn: Date
  /** Null until its network exists. */
  readonly testbed: Testbed | null
}

/** Return the status of a testbed. */
export function describeTestbed(
  { configuration, folders, topology, server }: TestbedContext,
  { state, startedOn, testbed }: StatusOptions,
): VctStatus {
  return {
    state,
    mode: configuration.mode,
    started_on: startedOn.toISOString(),
    server_socket: folders.serverSocket,
    server_url: configuration.url,
    server_pid: server.server.pid,
    shaping: testbed?.mesh.shaping ?? 'relay',
    lacks: configuration.lacks,
    nodes: (testbed?.nodes ?? []).map((node) => node.status()),
    links: topology.links.map((link) => ({
      a: `n${link.a}`,
      b: `n${link.b}`,
      rate_mbps: link.shape.rateMbps,
      delay_ms: link.shape.delayMs,
      loss_pct: 0,
      state: testbed?.mesh.linkState(link) ?? 'up',
    })),
  }
}

/** The path of the server's Unix socket in the pod. */
export const serverSocketInPod = join(podPaths.sockets, 'server', 'server.sock')
/** The path of the control socket in the pod. */
export const controlSocketInPod = join(podPaths.sockets, 'vct.sock')
