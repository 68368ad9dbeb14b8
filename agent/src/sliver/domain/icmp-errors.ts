import { parseIpv6 } from '@community-lab/contract'

/** The node's end of a sliver's interface, quoted for nft, and the address of the sliver on it. */
interface LinkEnd {
  readonly link: string
  readonly ipv6_addr: string
}

/**
 * The positions of two fields in an ICMPv6 error, in bits from the beginning of the error: the next header and the destination of the packet that the error is
 * about. Source: RFC 4443, section 3; RFC 8200, section 3.
 */
const aboutProtocol = '@th,112,8'
const aboutDestination = '@th,256,128'
/**
 * The numbers of TCP, UDP and ICMPv6. Errors about packets with extension headers are dropped. With a routing header, the destination of the packet is not the
 * one that its sender looks up, and other extension headers may hide a routing header. Source: Linux, seg6_icmp_srh.
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

/** Convert an address, because nft compares bits of a packet with a number, not with an address. */
function toNumber(address: string): string {
  return `0x${parseIpv6(address)
    .map((group) => group.toString(16).padStart(4, '0'))
    .join('')}`
}
