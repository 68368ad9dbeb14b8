import { LabError } from '@community-lab/contract'

/** What a radio link does to packets, alike in both directions. */
export interface Shape {
  readonly rateMbps: number
  /** One way. */
  readonly delayMs: number
}

/** The shape of every link between nodes. */
export const defaultShape: Shape = { rateMbps: 20, delayMs: 5 }

/** A link between two nodes, `a` < `b`. */
export interface MeshLink {
  readonly a: number
  readonly b: number
  readonly shape: Shape
}

/** The nodes, and the links between them. */
export interface Topology {
  /** 1 to N. */
  readonly nodes: readonly number[]
  readonly links: readonly MeshLink[]
  /** The nodes that the server is attached to, by links without shape. */
  readonly uplinks: readonly number[]
}

/** The largest virtual testbed; more would outgrow one machine's neighbour table, and n94 would have the server's address. */
export const maxNodes = 64

/**
 * Plan the default mesh: the line 1-2-…-N; with four nodes or more also the shortcut 2-N, so that there are two ways and of different length.
 * The server hangs on n1 and n3, so that no single cut takes it away (on n1 alone when there are fewer than three).
 *
 * @throws {@link LabError} LAB_VCT_USAGE when `count` is not 1 to 64.
 */
export function planTopology(count: number, shape: Shape = defaultShape): Topology {
  if (!Number.isInteger(count) || count < 1 || count > maxNodes) {
    throw new LabError('LAB_VCT_USAGE', {
      problem: `the number of nodes is 1 to ${maxNodes}, not ${count}`,
    })
  }
  const nodes = Array.from({ length: count }, (_, index) => index + 1)
  const links = nodes.slice(0, -1).map((a) => ({ a, b: a + 1, shape }))
  if (count >= 4) links.push({ a: 2, b: count, shape })
  return { nodes, links, uplinks: count < 3 ? [1] : [1, 3] }
}

/** The name of node `n` and of its network namespace. */
export function nodeName(n: number): string {
  return `n${n}`
}

/** The number of a node name, or null. */
export function maybeNodeNumber(name: string): number | null {
  const found = /^n([1-9][0-9]{0,4})$/u.exec(name)
  return found?.[1] === undefined ? null : Number(found[1])
}

/** The server's number where nodes have theirs. */
export const serverHost = 0x5e

/** The server's address in the community network. */
export const serverCommunityAddress = 'fd77::5e'

/** A node's address in the community network, `fd77::<n>`, n in hexadecimal. */
export function communityAddress(n: number): string {
  return `fd77::${hex(n)}`
}

/** The /64 of which a node gives its slivers addresses in the community network. */
export function publicPrefix(n: number): string {
  return `fd77:0:0:${hex(n)}::/64`
}

/** What a node calls its interface towards another. */
export function radioName(to: number): string {
  return `w${to}`
}

/** The interfaces of a node that lead to other nodes or to the server. */
export function interfacesOf(topology: Topology, n: number): readonly string[] {
  const radios = topology.links.flatMap(({ a, b }) =>
    a === n ? [radioName(b)] : b === n ? [radioName(a)] : [],
  )
  return topology.uplinks.includes(n) ? [...radios, uplinkName] : radios
}

/** The hosts at the other ends of a node's interfaces: numbers of nodes, and the server's. */
export function neighboursOf(topology: Topology, n: number): readonly number[] {
  const nodes = topology.links.flatMap(({ a, b }) => (a === n ? [b] : b === n ? [a] : []))
  return topology.uplinks.includes(n) ? [...nodes, serverHost] : nodes
}

/** A host's address on each of its links. */
export function linkAddress(host: number): string {
  return `fe80::${hex(host)}`
}

/** What a node calls its interface towards the server. */
export const uplinkName = 'up0'

function hex(value: number): string {
  return value.toString(16)
}
