import { formatIpv6, parseIpv6, toGroups, type Ipv6Groups } from './ipv6.ts'

/**
 * CONFINE's address plan: every address is computed from the testbed's prefix and ids; no address is assigned. N is a node id (1 to 0xfff0), S a slice id (1 to
 * 2^48 - 1), ii an interface number (0 to 15).
 *
 * Source: CONFINE node system and wiki, addressing formulas; the worked examples are in this module's tests.
 */
export const confinePrivatePrefix = 'fdbd:e804:6aa9::/48'
/** The debug prefix of all testbeds. Source: CONFINE wiki. */
export const confineDebugPrefix = 'fd5f:eee5:e6ad::/48'
/** The management prefix of virtual testbeds. Source: CONFINE's VCT. */
export const vctManagementPrefix = 'fd65:fc41:c50f::/48'
/** 16 bits in front of every sliver's MAC address (locally administered, unicast). Source: CONFINE's default, with the rule prefix & 0x300 == 0x200 kept. */
export const defaultSliverMacPrefix = 0x06ab

/** The largest node id. Source: CONFINE, node ids 0x0001 to 0xfff0. */
export const maxNodeId = 0xfff0
/** The largest slice id: 48 bits. */
export const maxSliceId = 2 ** 48 - 1
/** The largest number of slivers on one node. Source: CONFINE, sliver numbers 1 to 125. */
export const maxSliversPerNode = 125
/** The largest interface number. Source: CONFINE, keys 00 to 0F. */
export const maxInterfaceNr = 15

/** The server's management address `P:0:0000:rrrr:rrrr:rrrr`; server 2 is `P::2`. */
export function serverManagementAddress(prefix: string, serverId = 2): string {
  return formatIpv6(join(prefix48(prefix), 0, 0x0000, split48(serverId, 'server id')))
}

/** The management address of a host (a machine that is neither server nor node), `P:0:2000:hhhh:hhhh:hhhh`. */
export function hostManagementAddress(prefix: string, hostId: number): string {
  return formatIpv6(join(prefix48(prefix), 0, 0x2000, split48(hostId, 'host id')))
}

/** The subnet of the management addresses of all hosts. */
export function hostManagementSubnet(prefix: string): string {
  return `${formatIpv6(join(prefix48(prefix), 0, 0x2000, [0, 0, 0]))}/80`
}

/** A node's management address `P:N::2`. */
export function nodeManagementAddress(prefix: string, nodeId: number): string {
  return formatIpv6(join(prefix48(prefix), checkNodeId(nodeId), 0, [0, 0, 2]))
}

/** The subnet a node owns in the management network, `P:N::/64`; it covers its slivers. */
export function nodeManagementSubnet(prefix: string, nodeId: number): string {
  return `${formatIpv6(join(prefix48(prefix), checkNodeId(nodeId), 0, [0, 0, 0]))}/64`
}

/** A sliver's address in the management network, `P:N:10ii:S`. */
export function sliverManagementAddress(prefix: string, at: SliverPlace): string {
  return sliverAddress(prefix, checkNodeId(at.nodeId), at)
}

/** A sliver's debug address `D:N:10ii:S`. */
export function sliverDebugAddress(at: SliverPlace, prefix = confineDebugPrefix): string {
  return sliverAddress(prefix, checkNodeId(at.nodeId), at)
}

/** A sliver's private address `V:0:1000:S` (always interface 0). */
export function sliverPrivateAddress(sliceId: number, prefix = confinePrivatePrefix): string {
  return formatIpv6(join(prefix48(prefix), 0, 0x1000, split48(checkSliceId(sliceId), 'slice id')))
}

/**
 * A sliver's public IPv6 address: the /64 that its node holds in the community network, and the host part `10ii:S` of the management plan,
 * so that it is computed like all others.
 */
export function sliverPublicAddress(nodePrefix64: string, at: Omit<SliverPlace, 'nodeId'>): string {
  const [address = '', length] = nodePrefix64.split('/')
  if (length !== '64') throw new RangeError(`a node's public prefix is a /64: ${nodePrefix64}`)
  const [a, b, c, d] = parseIpv6(address)
  return formatIpv6(
    toGroups([
      a,
      b,
      c,
      d,
      0x1000 + checkInterfaceNr(at.interfaceNr),
      ...split48(checkSliceId(at.sliceId), 'slice id'),
    ]),
  )
}

/** A sliver's MAC address `MM:MM:nn:nn:ss:ii`: prefix, node id, sliver number on the node (1 to 125), interface number. */
export function sliverMac(
  at: { readonly nodeId: number; readonly sliverNr: number; readonly interfaceNr: number },
  prefix = defaultSliverMacPrefix,
): string {
  if (!Number.isInteger(at.sliverNr) || at.sliverNr < 1 || at.sliverNr > maxSliversPerNode) {
    throw new RangeError(`a sliver number is 1 to ${maxSliversPerNode}: ${at.sliverNr}`)
  }
  const nodeId = checkNodeId(at.nodeId)
  const bytes = [
    prefix >> 8,
    prefix & 0xff,
    nodeId >> 8,
    nodeId & 0xff,
    at.sliverNr,
    checkInterfaceNr(at.interfaceNr),
  ]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Where a sliver's interface is. */
export interface SliverPlace {
  readonly nodeId: number
  readonly sliceId: number
  readonly interfaceNr: number
}

/** What a management address belongs to. */
export type ManagementOwner =
  | { readonly kind: 'server'; readonly id: number }
  | { readonly kind: 'host'; readonly id: number }
  | { readonly kind: 'node'; readonly id: number }
  | {
      readonly kind: 'sliver'
      readonly nodeId: number
      readonly sliceId: number
      readonly interfaceNr: number
    }

/** Return the owner of a management address, which is the plan in reverse; `null` for an address outside the plan. */
export function managementOwner(prefix: string, address: string): ManagementOwner | null {
  const [p0, p1, p2] = prefix48(prefix)
  const [a, b, c, node, kind, ...rest] = parseIpv6(address)
  if (a !== p0 || b !== p1 || c !== p2) return null
  const low = join48(rest)
  if (node === 0) {
    if (kind === 0x0000 && low > 0) return { kind: 'server', id: low }
    if (kind === 0x2000 && low > 0) return { kind: 'host', id: low }
    return null
  }
  if (node > maxNodeId) return null
  if (kind === 0 && low === 2) return { kind: 'node', id: node }
  if ((kind & 0xfff0) === 0x1000 && low > 0) {
    return { kind: 'sliver', nodeId: node, sliceId: low, interfaceNr: kind & 0xf }
  }
  return null
}

function sliverAddress(prefix: string, nodeId: number, at: SliverPlace): string {
  const low = split48(checkSliceId(at.sliceId), 'slice id')
  return formatIpv6(join(prefix48(prefix), nodeId, 0x1000 + checkInterfaceNr(at.interfaceNr), low))
}

type Three = readonly [number, number, number]

let lastPrefix: { readonly text: string; readonly groups: Three } | null = null

/** Parse a prefix. The last one is remembered, because a testbed has one, and computes thousands of addresses from it. */
function prefix48(prefix: string): Three {
  if (lastPrefix?.text !== prefix) lastPrefix = { text: prefix, groups: parsePrefix(prefix) }
  return lastPrefix.groups
}

function parsePrefix(prefix: string): Three {
  const [address = '', length] = prefix.split('/')
  const [a, b, c, ...rest] = parseIpv6(address)
  if (length !== '48' || rest.some((group) => group !== 0)) {
    throw new RangeError(`a testbed prefix is a /48 with nothing behind it: ${prefix}`)
  }
  return [a, b, c]
}

function join(prefix: Three, node: number, kind: number, low: Three): Ipv6Groups {
  return toGroups([...prefix, node, kind, ...low])
}

function split48(value: number, what: string): Three {
  if (!Number.isInteger(value) || value < 0 || value > maxSliceId) {
    throw new RangeError(`a ${what} is 1 to ${maxSliceId}: ${value}`)
  }
  return [Math.floor(value / 2 ** 32), Math.floor(value / 2 ** 16) % 2 ** 16, value % 2 ** 16]
}

function join48(groups: readonly number[]): number {
  const [high = 0, middle = 0, low = 0] = groups
  return high * 2 ** 32 + middle * 2 ** 16 + low
}

function checkNodeId(id: number): number {
  if (!Number.isInteger(id) || id < 1 || id > maxNodeId)
    throw new RangeError(`a node id is 1 to ${maxNodeId}: ${id}`)
  return id
}

function checkSliceId(id: number): number {
  if (!Number.isInteger(id) || id < 1 || id > maxSliceId)
    throw new RangeError(`a slice id is 1 to ${maxSliceId}: ${id}`)
  return id
}

function checkInterfaceNr(nr: number): number {
  if (!Number.isInteger(nr) || nr < 0 || nr > maxInterfaceNr)
    throw new RangeError(`an interface number is 0 to ${maxInterfaceNr}: ${nr}`)
  return nr
}
