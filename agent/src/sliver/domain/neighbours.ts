/** The most entries of the node's neighbour table for all slivers together. The table has 1024. Source: Linux, ip-sysctl, neigh/default/gc_thresh3. */
const entriesOfAll = 512
/** One entry for the next hop, and one for the multicast group of its solicitation. Source: RFC 4861, section 7.2.2. */
const entriesPerNextHop = 2
/** The most next hops of a sliver: enough to reach every device of its community network within a minute. */
const mostNextHops = 64
/** How long an unused next hop counts, in seconds. Source: Linux, ip-sysctl, neigh/default/gc_stale_time. */
const countedS = 60

/** A sliver, with the node's ends of the interfaces through which it reaches more than the server. */
export interface ReachingSliver {
  readonly nr: number
  readonly links: readonly string[]
}

/**
 * Return how many next hops each of so many slivers may use within a minute. All together never use more than their part of the table, however many interfaces
 * they have: a node has at most 125 slivers, and each can then use two.
 */
export function nextHopsPerSliver(slivers: number): number {
  return Math.min(mostNextHops, Math.floor(entriesOfAll / entriesPerNextHop / Math.max(1, slivers)))
}

/**
 * Return the sets and chains that limit the next hops of each sliver. The kernel makes an entry in its neighbour table for each next hop of an interface, after
 * this hook has accepted the first packet to it. So a sliver that sends to random addresses would fill the table, and the node and all its slivers would find
 * no new neighbours. Packets to further next hops are dropped; those to next hops in use pass. Packets to other slivers make no entry, because their neighbours
 * are permanent.
 */
export function neighbourRules(slivers: readonly ReachingSliver[]): string {
  const reaching = slivers.filter(({ links }) => links.length > 0)
  if (reaching.length === 0) return ''
  const size = nextHopsPerSliver(reaching.length)
  const parts = reaching.map(({ nr }) => {
    const name = nameOf(nr)
    return `  set ${name} { type iface_index . ipv6_addr; size ${size}; flags dynamic, timeout; }
  chain ${name} {
    update @${name} { meta oif . rt ip6 nexthop timeout ${countedS}s } accept
    drop
  }`
  })
  const map = reaching.flatMap(({ nr, links }) =>
    links.map((link) => `"${link}" : goto ${nameOf(nr)}`),
  )
  return `${parts.join('\n')}
  chain next_hops {
    type filter hook forward priority 2; policy accept;
    iifname != "slv-*" accept
    oifname "slv-*" accept
    iifname vmap { ${map.join(', ')} }
  }`
}

function nameOf(sliverNr: number): string {
  return `next_hops_${sliverNr}`
}

/** Remove from the listing of a table the set elements that packets have added, because these change all the time. */
export function withoutDynamicElements(listing: string): string {
  return listing.replace(
    /^(\t\tflags [^\n]*\bdynamic\b[^\n]*\n(?:\t\t(?!elements)[^\n]*\n)*)\t\telements = \{[^}]*\}\n/gmu,
    '$1',
  )
}
