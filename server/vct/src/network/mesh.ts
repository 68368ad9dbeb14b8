import { createQueue, LabError } from '@community-lab/contract'
import {
  namespaces,
  nodeScript,
  relayScript,
  serverScript,
  wiringScript,
  type Shaping,
} from './commands.ts'

import { applyCuts } from './cut.ts'
import { runScript } from './namespace.ts'
import { readShapes } from './read-back.ts'
import { interfacesOf, nodeName, radioName, type MeshLink, type Topology } from './topology.ts'

/** Whether packets pass a link. */
export type LinkState = 'up' | 'cut'

/** The community network: namespaces and links between them. It lasts as long as the pod. */
export interface Mesh {
  readonly topology: Topology
  readonly shaping: Shaping
  /** Tell whether the link itself is cut. The state of its nodes does not matter. */
  linkState(link: MeshLink): LinkState
  setLink(link: MeshLink, state: LinkState): Promise<void>
  /** Cut all links of a node, including those to the server, or restore them. Links that were cut with `setLink` stay cut. */
  setNode(n: number, state: LinkState): Promise<void>
  nodeState(n: number): LinkState
}

/** Find out whether this kernel can delay packets itself. Creates and removes a namespace for it. */
export async function probeShaping(signal?: AbortSignal): Promise<Shaping> {
  const namespace = 'probe'
  const options = signal === undefined ? {} : { signal }
  const ip = (...argv: string[]) =>
    runScript({ namespace: null, commands: [['ip', ...argv]] }, options)
  await ip('netns', 'add', namespace)
  try {
    const netem = ['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms']
    await runScript({ namespace, commands: [netem] }, options)
    return 'netem'
  } catch (error) {
    if (LabError.is(error, 'LAB_VCT_COMMAND_FAILED')) return 'relay'
    throw error
  } finally {
    await ip('netns', 'del', namespace)
  }
}

/**
 * Create the namespaces, links and shapes of a topology in the pod's network, and read every shape back. The routers, and the relay if it is needed,
 * are processes and are not started here.
 *
 * @throws {@link LabError} LAB_VCT_COMMAND_FAILED, LAB_VCT_SHAPING_MISMATCH.
 */
export async function createMesh(
  topology: Topology,
  shaping: Shaping,
  signal: AbortSignal,
): Promise<Mesh> {
  const add = namespaces(topology, shaping).map((name) => ['ip', 'netns', 'add', name])
  await runScript({ namespace: null, commands: add }, { signal })
  await runScript(wiringScript(topology, shaping), { signal })
  await Promise.all([
    ...topology.nodes.map((n) => runScript(nodeScript(topology, n, shaping), { signal })),
    runScript(serverScript(topology), { signal }),
    ...(shaping === 'relay' ? [runScript(relayScript(topology), { signal })] : []),
  ])
  await Promise.all(topology.nodes.map((n) => readShapes(topology, n, shaping, signal)))
  return meshOf(topology, shaping)
}

function meshOf(topology: Topology, shaping: Shaping): Mesh {
  const cutLinks = new Set<MeshLink>()
  const cutNodes = new Set<number>()
  const inOrder = createQueue()

  /** Whether the kernel's rules match the two sets of cuts. */
  let isApplied = true

  /** Change the kernel's rules to match the two sets. Both ends of a cut link drop the packets that they receive. */
  async function apply(): Promise<void> {
    const ofNodes = topology.nodes.map((n) => {
      const wanted = interfacesOf(topology, n).filter((name) => {
        const link = topology.links.find(
          ({ a, b }) => (a === n && radioName(b) === name) || (b === n && radioName(a) === name),
        )
        return isBlocked(n, link)
      })
      return applyCuts({ namespace: nodeName(n), wanted })
    })
    const wanted = topology.uplinks.filter((n) => cutNodes.has(n)).map(radioName)
    await Promise.all([...ofNodes, applyCuts({ namespace: null, wanted })])
  }

  function isBlocked(n: number, link: MeshLink | undefined): boolean {
    if (link === undefined) return cutNodes.has(n)
    return cutLinks.has(link) || cutNodes.has(link.a) || cutNodes.has(link.b)
  }

  function change<T>(set: Set<T>, member: T, state: LinkState): Promise<void> {
    const isUpAlready = state === 'up' && !set.has(member)
    if (state === 'cut') set.add(member)
    else set.delete(member)
    if (!isUpAlready) isApplied = false
    return inOrder(async () => {
      // Reading the rules starts processes in every namespace, and each node that is powered on restores links that are not cut.
      if (isApplied) return
      // Set it first, so that a change that comes meanwhile is applied after this one.
      isApplied = true
      try {
        await apply()
      } catch (error) {
        isApplied = false
        throw error
      }
    })
  }

  return {
    topology,
    shaping,
    linkState: (link) => (cutLinks.has(link) ? 'cut' : 'up'),
    nodeState: (n) => (cutNodes.has(n) ? 'cut' : 'up'),
    setLink: (link, state) => change(cutLinks, link, state),
    setNode: (n, state) => change(cutNodes, n, state),
  }
}
