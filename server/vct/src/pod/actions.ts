import {
  LabError,
  type VctClock,
  type VctLinkAction,
  type VctNodeAction,
  type VctServerAction,
} from '@community-lab/contract'
import { waitForServer } from '../bootstrap/operator.ts'
import { createServerClient } from '../bootstrap/server-client.ts'
import { maybeNodeNumber, nodeName } from '../network/topology.ts'
import type { VirtualNode } from './virtual-node.ts'
import { serverSocketInPod, type Testbed, type TestbedContext } from './testbed.ts'

const graceMs = 10_000
const serverWithinMs = 60_000

/** The actions on a running testbed. They must not overlap. */
export interface Actions {
  node(name: string, action: VctNodeAction): Promise<void>
  setClock(name: string, clock: VctClock): Promise<void>
  link(a: string, b: string, action: VctLinkAction): Promise<void>
  server(action: VctServerAction): Promise<void>
}

/** Create the actions of this testbed. They throw {@link LabError} LAB_VCT_UNKNOWN, LAB_VCT_NODE_OFF. */
export function createActions(
  { server: part }: TestbedContext,
  { mesh, nodes }: Testbed,
  signal: AbortSignal,
): Actions {
  function find(name: string): VirtualNode {
    const node = nodes.find((one) => one.name === name)
    if (node !== undefined) return node
    const known = nodes.map((one) => one.name)
    throw new LabError('LAB_VCT_UNKNOWN', { kind: 'node', name, known })
  }

  return {
    async setClock(name, clock) {
      await find(name).setClock(clock)
    },
    async node(name, action) {
      const node = find(name)
      if (action === 'stop') await node.powerOff()
      else if (action === 'cut') await node.setLinks('cut')
      else if (action === 'kill-agent') await node.killAgent()
      else if (action === 'reboot') await node.reboot(signal)
      else {
        await node.setLinks('up')
        await node.powerOn(signal)
        await node.startAgent(signal)
      }
    },
    async link(a, b, action) {
      const ends = [maybeNodeNumber(a), maybeNodeNumber(b)]
      const link = mesh.topology.links.find((one) => ends.includes(one.a) && ends.includes(one.b))
      if (link === undefined || a === b) {
        const known = mesh.topology.links.map((one) => `${nodeName(one.a)}-${nodeName(one.b)}`)
        throw new LabError('LAB_VCT_UNKNOWN', { kind: 'link', name: `${a}-${b}`, known })
      }
      await mesh.setLink(link, action === 'cut' ? 'cut' : 'up')
    },
    async server(action) {
      if (action === 'kill') await part.server.kill('stay-down')
      else if (action === 'stop') await part.server.stop(graceMs)
      else {
        const client = createServerClient(serverSocketInPod)
        await part.server.start(signal)
        const parts = [part.server, part.gateway]
        await waitForServer({ client, parts, signal, timeoutMs: serverWithinMs })
      }
    },
  }
}
