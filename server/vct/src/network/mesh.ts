import { LabError } from '@community-lab/contract'
import {
  cutCommands,
  namespaces,
  nodeScript,
  relayScript,
  restoreCommands,
  serverScript,
  wiringScript,
  type Shaping,
} from './commands.ts'
import { runScript } from './namespace.ts'
import { readShapes } from './read-back.ts'
import { interfacesOf, nodeName, radioName, type MeshLink, type Topology } from './topology.ts'

/** Whether a link carries anything. */
export type LinkState = 'up' | 'cut'

/** The community network: namespaces and links between them. It lives as long as the pod. */
export interface Mesh {
  readonly topology: Topology
  readonly shaping: Shaping
  /** Whether a link as such is cut, apart from what its nodes are. */
  linkState(link: MeshLink): LinkState
  setLink(link: MeshLink, state: LinkState): Promise<void>
  /** Cut all links of a node, those of the server included, or undo that; links cut by themselves stay cut. */
  setNode(n: number, state: LinkState): Promise<void>
  nodeState(n: number): LinkState
}

/** Find out whether this kernel can delay packets itself. Makes and removes a namespace of its own. */
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
 * Make the namespaces, links and shapes of a topology in the pod's network, and read every shape back. The relay, where it is needed, and the
 * routers are processes and not started here.
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
  const blocked = new Set<string>()
  let queue: Promise<unknown> = Promise.resolve()

  /** Bring the kernel's rules to what the two sets say; both ends of a link drop what comes in. */
  async function apply(): Promise<void> {
    for (const n of topology.nodes) {
      const commands = interfacesOf(topology, n).flatMap((name) => {
        const key = `${n}/${name}`
        const link = topology.links.find(
          ({ a, b }) => (a === n && radioName(b) === name) || (b === n && radioName(a) === name),
        )
        const wanted = isBlocked(n, link)
        if (wanted === blocked.has(key)) return []
        if (wanted) blocked.add(key)
        else blocked.delete(key)
        return wanted ? cutCommands(name) : restoreCommands(name)
      })
      await runScript({ namespace: nodeName(n), commands })
    }
    const commands = topology.uplinks.flatMap((n) => {
      const key = `server/${n}`
      if (cutNodes.has(n) === blocked.has(key)) return []
      if (cutNodes.has(n)) blocked.add(key)
      else blocked.delete(key)
      return cutNodes.has(n) ? cutCommands(radioName(n)) : restoreCommands(radioName(n))
    })
    await runScript({ namespace: null, commands })
  }

  function isBlocked(n: number, link: MeshLink | undefined): boolean {
    if (link === undefined) return cutNodes.has(n)
    return cutLinks.has(link) || cutNodes.has(link.a) || cutNodes.has(link.b)
  }

  function change<T>(set: Set<T>, member: T, state: LinkState): Promise<void> {
    if (state === 'cut') set.add(member)
    else set.delete(member)
    const done = queue.then(apply)
    queue = done.catch(() => {
      // Whoever asked for this change is told; the next one starts afresh.
    })
    return done
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
