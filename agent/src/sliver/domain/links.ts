import type { ActualInterface } from '@community-lab/contract'
import { interfaceKinds } from './interface/kinds.ts'
import {
  addressed,
  gatewayAddress,
  gatewayMac,
  hostInterface,
  type LinkedSliver,
} from './interfaces.ts'

/** An interface that exists because it has an address. */
type MadeInterface = ReturnType<typeof addressed>[number]

/** Return the lines for `ip -batch` on the node that make a sliver's links into the network namespace at a path. */
export function linkCreationLines(sliver: LinkedSliver, namespacePath: string): readonly string[] {
  return addressed(sliver.interfaces).map(({ nr, name, type, mac_addr }) => {
    const mtu = interfaceKinds[type].mtuBytes
    const host = `name ${hostInterface(sliver.nr, nr)} mtu ${mtu} address ${gatewayMac}`
    return `link add ${host} type veth peer name ${name} mtu ${mtu} address ${mac_addr} netns ${namespacePath}`
  })
}

/**
 * Return the lines for `ip -batch` on the node that configure the links and route the sliver's addresses to them. They can be repeated. Neighbours are
 * permanent on both sides: no link waits for neighbour discovery, and no sliver can claim another address with it.
 */
export function nodeLinkLines(sliver: LinkedSliver): readonly string[] {
  return addressed(sliver.interfaces).flatMap(({ nr, mac_addr, ipv6_addr }) => {
    const link = hostInterface(sliver.nr, nr)
    return [
      `link set dev ${link} addrgenmode none`,
      `link set dev ${link} up`,
      `addr replace ${gatewayAddress}/64 dev ${link} nodad`,
      `neigh replace ${ipv6_addr} lladdr ${mac_addr} dev ${link} nud permanent`,
      `route replace ${ipv6_addr}/128 dev ${link}`,
    ]
  })
}

/** Return the lines for `ip -batch` in the sliver's network namespace. They can be repeated. */
export function sliverLinkLines(
  interfaces: readonly ActualInterface[],
  mgmtPrefix: string,
): readonly string[] {
  const route = ({ type, name, ipv6_addr }: MadeInterface): string =>
    `route replace ${interfaceKinds[type].destination({ mgmtPrefix })} via ${gatewayAddress} dev ${name} src ${ipv6_addr}`
  return [
    'link set dev lo up',
    ...addressed(interfaces).flatMap((one) => [
      `link set dev ${one.name} addrgenmode none`,
      `link set dev ${one.name} up`,
      `addr replace ${one.ipv6_addr}/128 dev ${one.name} nodad`,
      `neigh replace ${gatewayAddress} lladdr ${gatewayMac} dev ${one.name} nud permanent`,
      route(one),
    ]),
  ]
}
