import { hostInterface } from './interfaces.ts'
import { addressed, type LinkedSliver } from './links.ts'

/** What the node's filter is made from. */
export interface FilterPlan {
  /** The server's management address: who alone may reach slivers over the management network. */
  readonly serverAddress: string
  readonly mgmtPrefix: string
  /** The interface of the management network; null: any that no sliver is behind. */
  readonly mgmtInterface: string | null
}

/** The nft table of a node's slivers. */
export const filterTable = 'inet community_lab_slivers'

/**
 * The nft script that makes the table anew, in one transaction, with these slivers in it.
 *
 * From a sliver nothing passes but what has its interface's own MAC and IPv6 address. Over the management network only the server reaches it, at TCP port
 * 22 and by ping, and it only answers. Over the community network it reaches all but the management network and the node itself, which it may ping.
 * Stateless: a sliver that opens a million connections fills no table of the node.
 */
export function filterScript(plan: FilterPlan, slivers: readonly LinkedSliver[]): string {
  const { serverAddress, mgmtPrefix, mgmtInterface } = plan
  const from = mgmtInterface === null ? 'iifname != "slv-*" ' : `iifname "${mgmtInterface}" `
  const to = mgmtInterface === null ? 'oifname != "slv-*" ' : `oifname "${mgmtInterface}" `
  return `table ${filterTable}
delete table ${filterTable}
table ${filterTable} {
  set sources { type ifname . ether_addr . ipv6_addr; }
  set management { type ifname; }
  set public { type ifname; }

  chain spoofing {
    type filter hook prerouting priority -300; policy accept;
    iifname . ether saddr . ip6 saddr @sources accept
    iifname "slv-*" drop
  }
  chain node {
    type filter hook input priority 0; policy accept;
    iifname @public ip6 daddr ${mgmtPrefix} drop
    iifname @public icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, echo-reply } accept
    iifname "slv-*" drop
  }
  chain to_sliver {
    ${from}ip6 saddr ${serverAddress} tcp dport 22 accept
    ${from}ip6 saddr ${serverAddress} icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
    drop
  }
  chain from_sliver {
    ${to}ip6 daddr ${serverAddress} tcp sport 22 tcp flags & (syn | ack) != syn accept
    ${to}ip6 daddr ${serverAddress} icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-reply } accept
    drop
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    oifname @management jump to_sliver
    iifname @management jump from_sliver
    iifname @public ip6 daddr ${mgmtPrefix} drop
    oifname @public ip6 saddr ${mgmtPrefix} drop
  }
}
${slivers.map((sliver) => elementLines('add', sliver)).join('')}`
}

/** The nft script, one transaction, that lets a sliver's packets pass. */
export function admitScript(sliver: LinkedSliver): string {
  return elementLines('add', sliver)
}

/** The nft script that undoes {@link admitScript}; also when there is nothing to undo, for what is added first can be deleted. */
export function expelScript(sliver: LinkedSliver): string {
  return elementLines('add', sliver) + elementLines('delete', sliver)
}

function elementLines(verb: 'add' | 'delete', { nr, interfaces }: LinkedSliver): string {
  return addressed(interfaces)
    .map(({ nr: interfaceNr, type, mac_addr, ipv6_addr }) => {
      const link = `"${hostInterface(nr, interfaceNr)}"`
      const side = type === 'management' ? 'management' : 'public'
      return (
        `${verb} element ${filterTable} sources { ${link} . ${mac_addr} . ${ipv6_addr} }\n` +
        `${verb} element ${filterTable} ${side} { ${link} }\n`
      )
    })
    .join('')
}
