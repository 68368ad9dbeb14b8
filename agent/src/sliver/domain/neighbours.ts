/** How many entries of the node's neighbour table all slivers together may take. The table has 1024. Source: Linux, ip-sysctl, neigh/default/gc_thresh3. */
const entriesOfAll = 512
/** One for the next hop, and one for the multicast group in which it is asked for. Source: RFC 4861, section 7.2.2. */
const entriesPerNextHop = 2
/** A sliver that speaks with every device of its community network within a minute finds this many enough. */
const mostNextHops = 64
/** A sliver can always use a few next hops. */
const leastNextHops = 4
/** How long an unused next hop counts, in seconds. Source: Linux, ip-sysctl, neigh/default/gc_stale_time. */
const countedS = 60

/** Compute how many next hops each of so many links may use within a minute. */
export function nextHopsPerLink(links: number): number {
  const share = Math.floor(entriesOfAll / entriesPerNextHop / Math.max(1, links))
  return Math.max(leastNextHops, Math.min(mostNextHops, share))
}

/**
 * Write the sets and chains that bound how many next hops each link uses. The kernel makes an entry in its neighbour table for each next hop, after this hook
 * has let the first packet to it pass. So a sliver that sends to random addresses would fill the table, and then the node and all its slivers would find no new
 * neighbour. Packets to further next hops are dropped; those to next hops in use pass. Packets to other slivers take no entry: their neighbours are permanent.
 *
 * @param links - the node's ends of the interfaces whose slivers reach more than the server.
 */
export function neighbourRules(links: readonly string[]): string {
  if (links.length === 0) return ''
  const size = nextHopsPerLink(links.length)
  const parts = links.map((link) => {
    const name = nameOf(link)
    return `  set ${name} { type ipv6_addr; size ${size}; flags dynamic, timeout; }
  chain ${name} {
    update @${name} { rt ip6 nexthop timeout ${countedS}s } accept
    drop
  }`
  })
  const map = links.map((link) => `"${link}" : goto ${nameOf(link)}`)
  return `${parts.join('\n')}
  chain next_hops {
    type filter hook forward priority 2; policy accept;
    iifname != "slv-*" accept
    oifname "slv-*" accept
    iifname vmap { ${map.join(', ')} }
  }`
}

/** nft's names have no hyphens. */
function nameOf(link: string): string {
  return `next_hops_${link.replaceAll('-', '_')}`
}

/** Take out of a listing of a table what packets have put into its sets: it changes all the time, and nobody has set it. */
export function withoutDynamicElements(listing: string): string {
  return listing.replace(
    /^(\t\tflags [^\n]*\bdynamic\b[^\n]*\n(?:\t\t(?!elements)[^\n]*\n)*)\t\telements = \{[^}]*\}\n/gmu,
    '$1',
  )
}
