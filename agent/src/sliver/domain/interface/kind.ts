import type { ActualInterface } from '@community-lab/contract'

/** What the addresses of this node's slivers are computed from. */
export interface AddressPlan {
  readonly nodeId: number
  /** The testbed's management /48. */
  readonly mgmtPrefix: string
  readonly macPrefix: number
  /** The node's /64 in the community network; null: none. */
  readonly publicPrefix: string | null
}

/** Whose interface an address is for. */
export interface InterfacePlace {
  readonly sliceId: number
  readonly interfaceNr: number
}

/** The networks that a node is in, as its filter needs to know them. */
export interface NodeNetwork {
  /** The server's management address: it alone may reach slivers over the management network. */
  readonly serverAddress: string
  readonly mgmtPrefix: string
  /** The interface of the management network; null: the community network carries it, so it may be any. */
  readonly mgmtInterface: string | null
}

/** The rules of a kind: each is the body of an nft rule that accepts packets. What no rule of a list accepts is dropped. */
export interface KindRules {
  /** For packets from a sliver to the node itself. */
  readonly toNode: readonly string[]
  /** For packets that are forwarded to a sliver. */
  readonly toSliver: readonly string[]
  /** For packets that are forwarded from a sliver. */
  readonly fromSliver: readonly string[]
}

/** Everything that distinguishes one kind of sliver interface from the others. */
export interface InterfaceKind {
  readonly type: ActualInterface['type']
  readonly mtuBytes: number
  /** Compute the address of an interface; null when this node has no network of this kind, and then the interface is not made. */
  computeAddress(plan: AddressPlan, place: InterfacePlace): string | null
  /** What a sliver reaches through the interface: a prefix, or `default`. */
  destination(network: Pick<NodeNetwork, 'mgmtPrefix'>): string
  /** Whether slivers reach more than the server through it. Then the filter bounds how many next hops of the node their packets use. */
  readonly reachesMany: boolean
  rules(network: NodeNetwork): KindRules
}

/** ICMPv6 messages that any IPv6 path needs. Source: RFC 4890, section 4.3.1. */
export const icmpErrors =
  'destination-unreachable, packet-too-big, time-exceeded, parameter-problem'
