import { parseIpv6 } from '@community-lab/contract'

/** A node's end of a sliver's interface, quoted for nft, and the sliver's address behind it. */
interface LinkEnd {
  readonly link: string
  readonly ipv6_addr: string
}

/**
 * Where an ICMPv6 error has the packet that it is about, in bits from the error's own beginning: that packet's next header and its destination.
 * Source: RFC 4443, section 3; RFC 8200, section 3.
 */
const aboutProtocol = '@th,112,8'
const aboutDestination = '@th,256,128'
/**
 * TCP, UDP and ICMPv6. The destination of a packet with a routing header is not the one that its sender looks for, and other extension headers may hide one.
 * Source: Linux, seg6_icmp_srh.
 */
const plainProtocols = '6, 17, 58'

/**
 * The types of ICMPv6 errors, including those that are not defined yet. A receiver passes any of them to the program that it is about.
 * Source: RFC 4443, section 2.1; Linux, icmpv6_rcv.
 */
export const icmpErrorTypes = '0-127'

/**
 * Write the set and the chains that let a sliver send only errors about packets that it received, as an end host does. Receivers trust errors: a forged "packet too big" about a ping sets
 * the path MTU of the node, the server or another sliver to that destination for ten minutes, and other errors end connections. Source: Linux, icmpv6_err and ip6_update_pmtu.
 */
export function icmpErrorRules(ends: readonly LinkEnd[]): string {
  const elements = ends.map(({ link, ipv6_addr }) => `${link} . ${toNumber(ipv6_addr)}`)
  const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`
  return `  set told_to { typeof iifname . ${aboutDestination};${content} }
  chain icmp_errors {
    ${aboutProtocol} { ${plainProtocols} } iifname . ${aboutDestination} @told_to return
    drop
  }`
}

/** nft compares bits of a packet with a number, not with an address. */
function toNumber(address: string): string {
  return `0x${parseIpv6(address)
    .map((group) => group.toString(16).padStart(4, '0'))
    .join('')}`
}
