import { LabError } from '@community-lab/contract'

/** The shape of a radio link, which is the same in both directions. */
export interface Shape {
  readonly rateMbps: number
  /** The delay in one direction. */
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
  /** The numbers 1 to N. */
  readonly nodes: readonly number[]
  readonly links: readonly MeshLink[]
  /** The nodes to which the server is attached. Their links to it have no shape. */
  readonly uplinks: readonly number[]
}

/** The most nodes of a virtual testbed. More would exceed the neighbour table of one machine, and n94 would have the server's address. */
export const maxNodes = 64

/**
 * Plan the default mesh: the line 1-2-…-N, and with four nodes or more also the link 2-N, so that there are two paths of different lengths.
 *
 * The server is attached to n1 and n3, so that no single cut disconnects it (only to n1 when there are fewer than three nodes).
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

/** Return the name of node `n`, which is also the name of its network namespace. */
export function nodeName(n: number): string {
  return `n${n}`
}

/** Return the number of a node name; null when it is not one. */
export function maybeNodeNumber(name: string): number | null {
  const found = /^n([1-9][0-9]{0,4})$/u.exec(name)
  return found?.[1] === undefined ? null : Number(found[1])
}

/** The server's number in addresses, where nodes have their number. */
export const serverHost = 0x5e

/** The server's address in the community network. */
export const serverCommunityAddress = 'fd77::5e'

/** Return a node's address in the community network, `fd77::<n>`, with n in hexadecimal. */
export function communityAddress(n: number): string {
  return `fd77::${hex(n)}`
}

/** Return the /64 prefix of a node. Its slivers have their addresses of the community network in it. */
export function publicPrefix(n: number): string {
  return `fd77:0:0:${hex(n)}::/64`
}

/** Return the name of a node's interface towards another node. */
export function radioName(to: number): string {
  return `w${to}`
}

/** List a node's interfaces that lead to other nodes or to the server. */
export function interfacesOf(topology: Topology, n: number): readonly string[] {
  const radios = topology.links.flatMap(({ a, b }) =>
    a === n ? [radioName(b)] : b === n ? [radioName(a)] : [],
  )
  return topology.uplinks.includes(n) ? [...radios, uplinkName] : radios
}

/** List the neighbours of a node: numbers of nodes, and the server's number. */
export function neighboursOf(topology: Topology, n: number): readonly number[] {
  const nodes = topology.links.flatMap(({ a, b }) => (a === n ? [b] : b === n ? [a] : []))
  return topology.uplinks.includes(n) ? [...nodes, serverHost] : nodes
}

/** Return a host's address, which is the same on each of its links. */
export function linkAddress(host: number): string {
  return `fe80::${hex(host)}`
}

/** The name of a node's interface towards the server. */
export const uplinkName = 'up0'

function hex(value: number): string {
  return value.toString(16)
}
