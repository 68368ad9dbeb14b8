import type { ActualInterface } from '@community-lab/contract'
import { gatewayAddress, gatewayMac, hostInterface } from './interfaces.ts'

/** A sliver's links: its number, interfaces, and the process whose network namespace it has. */
export interface LinkedSliver {
  readonly nr: number
  readonly interfaces: readonly ActualInterface[]
}

/** The smallest MTU on the way to the server, tincd's; a sliver's management interface has the same, so that nothing has to be found out. */
const managementMtu = 1400
const communityMtu = 1500

/**
 * The lines for `ip -batch` on the node that make a sliver's links and route its addresses to them. Neighbours are written down on both sides: no link waits
 * for neighbour discovery, and a sliver cannot claim another address by it.
 */
export function nodeLinkLines({ nr, interfaces }: LinkedSliver, pid: number): readonly string[] {
  return addressed(interfaces).flatMap(({ nr: interfaceNr, name, type, mac_addr, ipv6_addr }) => {
    const link = hostInterface(nr, interfaceNr)
    const mtu = mtuOf(type)
    return [
      `link add name ${link} mtu ${mtu} address ${gatewayMac} type veth peer name ${name} mtu ${mtu} address ${mac_addr} netns ${pid}`,
      `link set dev ${link} addrgenmode none`,
      `link set dev ${link} up`,
      `addr add ${gatewayAddress}/64 dev ${link} nodad`,
      `neigh replace ${ipv6_addr} lladdr ${mac_addr} dev ${link} nud permanent`,
      `route replace ${ipv6_addr}/128 dev ${link}`,
    ]
  })
}

/** The lines for `ip -batch` in the sliver's network namespace. The management prefix and, through the public interface, all else go by the node. */
export function sliverLinkLines(
  interfaces: readonly ActualInterface[],
  mgmtPrefix: string,
): readonly string[] {
  return [
    'link set dev lo up',
    ...addressed(interfaces).flatMap(({ name, type, ipv6_addr }) => [
      `link set dev ${name} addrgenmode none`,
      `link set dev ${name} up`,
      `addr add ${ipv6_addr}/128 dev ${name} nodad`,
      `neigh replace ${gatewayAddress} lladdr ${gatewayMac} dev ${name} nud permanent`,
      `route replace ${type === 'management' ? mgmtPrefix : 'default'} via ${gatewayAddress} dev ${name} src ${ipv6_addr}`,
    ]),
  ]
}

/** The interfaces that have an address; the others are not made. */
export function addressed(
  interfaces: readonly ActualInterface[],
): readonly (ActualInterface & { readonly ipv6_addr: string })[] {
  return interfaces.flatMap((one) =>
    one.ipv6_addr === null ? [] : [{ ...one, ipv6_addr: one.ipv6_addr }],
  )
}

function mtuOf(type: ActualInterface['type']): number {
  return type === 'management' ? managementMtu : communityMtu
}
