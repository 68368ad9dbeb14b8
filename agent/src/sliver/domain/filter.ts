import { bandwidthRules } from './bandwidth.ts'
import { icmpErrorRules, icmpErrorTypes } from './icmp-errors.ts'
import type { NodeNetwork } from './interface/kind.ts'
import { interfaceKinds } from './interface/kinds.ts'
import { addressed, gatewayAddress, hostInterface, type LinkedSliver } from './interfaces.ts'
import { neighbourRules, type ReachingSliver } from './neighbours.ts'

/** The nft tables of a node's slivers: IPv6 and IPv4 in one, ARP in the other. */
export const filterTables = ['inet community_lab_slivers', 'arp community_lab_slivers'] as const

/**
 * The priority of slivers' packets, below all other traffic of the node: band 2 of the kernel's default queue, and the background access category of Wi-Fi.
 * Source: Linux, sch_generic.c (prio2band, by the last four bits) and cfg80211_classify8021d (256 + user priority; 1 is background, IEEE 802.1D).
 */
const backgroundPriority = '0:0101'

/** The input of the filter. */
export interface FilterPlan {
  readonly network: NodeNetwork
  readonly slivers: readonly LinkedSliver[]
  /** Interfaces of the node's owner that may forward only for slivers. Nothing else is forwarded from them. */
  readonly hostInterfaces: readonly string[]
  /** The most bandwidth of all slivers together in each direction, in Mbit/s; null: not limited. */
  readonly mbps: number | null
}

/**
 * Return the nft script that replaces the node's filter in one transaction.
 *
 * - A sliver can send only IPv6 with the MAC and IPv6 address of its interface. There is no ARP and no neighbour discovery with slivers.
 * - A sliver can send ICMPv6 errors only about packets that it has received.
 * - The kind of an interface defines what passes between a sliver, the node and others. Everything else is dropped.
 * - The node does not track slivers' packets and does not reassemble their fragments, so that no sliver can fill a table of the node.
 * - The packets of each sliver use a limited number of entries in the node's neighbour table.
 * - In each queue of the node, slivers' packets are sent after all other traffic. Together they use at most the bandwidth that the owner lends.
 */
export function filterScript(plan: FilterPlan): string {
  const [inet, arp] = filterTables
  const bandwidth = bandwidthRules(plan.mbps, linksOf(plan.slivers))
  return `table ${inet}
delete table ${inet}
table ${arp}
delete table ${arp}
table ${inet} {
${sets(plan)}
${bandwidth.parts}
${icmpErrorRules(endsOf(plan.slivers))}
${originChains(bandwidth.verdict)}
${nodeChain}
${forwardChains(plan)}
${kindChains(plan.network)}
${neighbourRules(plan.slivers.map(linksToMany))}
}
table ${arp} {
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "slv-*" drop
  }
  chain output {
    type filter hook output priority 0; policy accept;
    oifname "slv-*" drop
  }
}
`
}

/** The priority before reassembly and connection tracking. Source: Linux, netfilter_ipv6.h, NF_IP6_PRI_RAW_BEFORE_DEFRAG. */
const beforeDefragmentation = -450

/**
 * Return the chains for packets from slivers and to them. Packets to link-local addresses other than the node's are dropped before routing. Otherwise the
 * kernel would send redirects for them, and make an entry in its neighbour table for each address. Source: Linux, ip6_forward and ndisc_send_redirect.
 */
function originChains(verdict: string): string {
  return `  chain origin {
    type filter hook prerouting priority ${beforeDefragmentation}; policy accept;
    iifname "slv-*" ip6 daddr fe80::/10 ip6 daddr != ${gatewayAddress} drop
    iifname "slv-*" icmpv6 type ${icmpErrorTypes} jump icmp_errors
    iifname . ether saddr . ip6 saddr @sources notrack meta priority set ${backgroundPriority} ${verdict}
    iifname "slv-*" drop
    ip6 daddr @addresses notrack
  }
  chain from_node {
    type filter hook output priority ${beforeDefragmentation}; policy accept;
    oifname "slv-*" notrack
  }`
}

const kinds = Object.values(interfaceKinds)

/** Fragments are dropped because the node would reassemble them, in memory that it shares with everything else. */
const nodeChain = `  chain node {
    type filter hook input priority 0; policy accept;
    iifname "slv-*" exthdr frag exists drop
${kinds.map(({ type }) => `    iifname @${type} jump ${type}_to_node\n`).join('')}    iifname "slv-*" drop
  }`

/** A packet between two slivers must be accepted twice, as leaving and as arriving. So these are two hooks. */
function forwardChains({ network: { mgmtInterface } }: FilterPlan): string {
  const own =
    mgmtInterface === null ? '' : `    iifname "${mgmtInterface}" oifname != "slv-*" drop\n`
  return `  chain others {
    type filter hook forward priority -2; policy accept;
${own}    iifname @hosts oifname != "slv-*" drop
  }
  chain leaving {
    type filter hook forward priority -1; policy accept;
${kinds.map(({ type }) => `    iifname @${type} jump ${type}_from_sliver\n`).join('')}    iifname "slv-*" drop
  }
  chain arriving {
    type filter hook forward priority 0; policy accept;
${kinds.map(({ type }) => `    oifname @${type} jump ${type}_to_sliver\n`).join('')}    oifname "slv-*" drop
  }`
}

function kindChains(network: NodeNetwork): string {
  return kinds
    .flatMap((kind) => {
      const { toNode, toSliver, fromSliver } = kind.rules(network)
      return [
        chain(`${kind.type}_to_node`, toNode),
        chain(`${kind.type}_to_sliver`, toSliver),
        chain(`${kind.type}_from_sliver`, fromSliver),
      ]
    })
    .join('\n')
}

function chain(name: string, rules: readonly string[]): string {
  return `  chain ${name} {\n${[...rules, 'drop'].map((rule) => `    ${rule}\n`).join('')}  }`
}

function linksOf(slivers: readonly LinkedSliver[]): readonly string[] {
  return slivers.flatMap(({ nr, interfaces }) =>
    addressed(interfaces).map((one) => hostInterface(nr, one.nr)),
  )
}

function linksToMany({ nr, interfaces }: LinkedSliver): ReachingSliver {
  const many = addressed(interfaces).filter(({ type }) => interfaceKinds[type].reachesMany)
  return { nr, links: many.map((one) => hostInterface(nr, one.nr)) }
}

/** Return the node's ends of all interfaces, quoted for nft. */
function endsOf(slivers: readonly LinkedSliver[]) {
  return slivers.flatMap(({ nr, interfaces }) =>
    addressed(interfaces).map((one) => ({ ...one, link: `"${hostInterface(nr, one.nr)}"` })),
  )
}

function sets({ slivers, hostInterfaces }: FilterPlan): string {
  const ends = endsOf(slivers)
  return [
    set(
      'sources',
      'ifname . ether_addr . ipv6_addr',
      ends.map(({ link, mac_addr, ipv6_addr }) => `${link} . ${mac_addr} . ${ipv6_addr}`),
    ),
    set(
      'addresses',
      'ipv6_addr',
      ends.map(({ ipv6_addr }) => ipv6_addr),
    ),
    ...kinds.map(({ type }) =>
      set(
        type,
        'ifname',
        ends.filter((end) => end.type === type).map(({ link }) => link),
      ),
    ),
    set(
      'hosts',
      'ifname',
      hostInterfaces.map((name) => `"${name}"`),
    ),
  ].join('\n')
}

function set(name: string, type: string, elements: readonly string[]): string {
  const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`
  return `  set ${name} { type ${type};${content} }`
}
