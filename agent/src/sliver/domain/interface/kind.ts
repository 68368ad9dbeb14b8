import type { ActualInterface } from '@community-lab/contract'

/** The values from which the addresses of this node's slivers are computed. */
export interface AddressPlan {
  readonly nodeId: number
  /** The testbed's management prefix, a /48. */
  readonly mgmtPrefix: string
  readonly macPrefix: number
  /** The node's /64 in the community network; null: none. */
  readonly publicPrefix: string | null
}

/** The slice and the number of an interface. */
export interface InterfacePlace {
  readonly sliceId: number
  readonly interfaceNr: number
}

/** The networks of a node that the filter needs. */
export interface NodeNetwork {
  /** The server's management address. Only the server and hosts may reach slivers over the management network. */
  readonly serverAddress: string
  readonly mgmtPrefix: string
  /** The interface of the management network; null: the community network carries it, so any interface is possible. */
  readonly mgmtInterface: string | null
}

/** The rules of a kind. Each is the body of an nft rule that accepts packets. Packets that no rule of a list accepts are dropped. */
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
  /** Compute the address of an interface; null when this node has no network of this kind. Then the interface is not made. */
  computeAddress(plan: AddressPlan, place: InterfacePlace): string | null
  /** Return the destination of a sliver's route through the interface: a prefix, or `default`. */
  destination(network: Pick<NodeNetwork, 'mgmtPrefix'>): string
  /** Whether slivers reach more than the server and hosts through it. Then the filter limits the number of the node's next hops that their packets use. */
  readonly reachesMany: boolean
  rules(network: NodeNetwork): KindRules
}

/** ICMPv6 messages that any IPv6 path needs. Source: RFC 4890, section 4.3.1. */
export const icmpErrors =
  'destination-unreachable, packet-too-big, time-exceeded, parameter-problem'
