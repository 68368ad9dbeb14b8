import Type from 'typebox'
import { Value } from 'typebox/value'

/** The bandwidth of slivers in one direction. */
export interface BandwidthShares {
  /** The bandwidth that is reserved for each interface of a sliver, in bytes per second. */
  readonly ownBps: number
  /** The bandwidth that all of them share besides, first come, first served, in bytes per second. */
  readonly commonBps: number
}

/** The bandwidth that is reserved for each interface, if there is enough for all, so that its sliver can always be reached by SSH. */
const enoughBps = 16_000
/** The largest fraction of the bandwidth that is divided into equal shares for that purpose. */
const mostShared = 0.9
/**
 * The duration by which the burst of a rate is extended, in seconds, because TCP sends in bursts. nft's byte limits allow a burst of one second anyway. Source:
 * Linux, nft_limit.c: "tokens_max = unit * (rate + burst) / rate".
 */
const burstS = 0.1
/** A burst contains at least ten packets of full size. */
const leastBurstBytes = 15_000

/**
 * Divide the bandwidth that the owner lends: one half into equal reserved parts, the other half is common. So an interface that floods gets its part, and what the others leave of the
 * common half.
 *
 * @param mbps - the bandwidth of all slivers together in one direction, in 10^6 bits per second.
 */
export function shareBandwidth(mbps: number, interfaces: number): BandwidthShares {
  const allBps = (mbps * 1e6) / 8
  const count = Math.max(1, interfaces)
  const enough = Math.min(enoughBps, (allBps * mostShared) / count)
  const ownBps = Math.floor(Math.max(allBps / 2 / count, enough))
  return { ownBps, commonBps: Math.floor(allBps - ownBps * count) }
}

/** The part of the filter that enforces the shares. */
export interface BandwidthRules {
  /** Objects and chains of the table. */
  readonly parts: string
  /** The verdict of the rule for packets from slivers with a valid source address. */
  readonly verdict: string
}

/**
 * Write the rules that enforce the shares: packets beyond them are dropped. Without a limit there are no rules.
 *
 * @param links - the node's ends of the slivers' interfaces.
 */
export function bandwidthRules(mbps: number | null, links: readonly string[]): BandwidthRules {
  if (mbps === null || links.length === 0) return { parts: '', verdict: 'accept' }
  const { ownBps, commonBps } = shareBandwidth(mbps, links.length)
  const directions = ['from', 'to'] as const
  const objects = directions.flatMap((direction) => [
    limit(`${direction}_all`, commonBps),
    ...links.map((link) => limit(objectName(direction, link), ownBps)),
  ])
  return {
    verdict: 'jump share_from',
    parts: `${objects.join('\n')}
  chain share_from {
${shareLines('from', links)}
  }
  chain share_to {
    type filter hook forward priority 1; policy accept;
    oifname != "slv-*" accept
${shareLines('to', links)}
  }`,
  }
}

/** How long an end of a link may exceed the bandwidth of all slivers, in seconds, and how long a packet may wait there, in milliseconds. */
const shaping = { burstS: 0.02, latencyMs: 100 } as const

/**
 * Return the lines for `tc -batch` that limit each end of a link to the bandwidth of all slivers together. The filter alone would let a sliver send the packets
 * of a whole second at once. They would fill the queue of a slow line, where the packets of others wait too.
 *
 * @param mbps - null: not limited, like a new link.
 */
export function shapingLines(links: readonly string[], mbps: number | null): readonly string[] {
  return links.map((link) => `qdisc replace dev ${link} root ${shapingQueue(mbps)}`)
}

function shapingQueue(mbps: number | null): string {
  if (mbps === null) return 'noqueue'
  const bps = mbps * 1e6
  const burstBytes = Math.max(leastBurstBytes, Math.round((bps / 8) * shaping.burstS))
  return `tbf rate ${Math.round(bps)}bit burst ${burstBytes} latency ${shaping.latencyMs}ms`
}

/** The output of `tc -json qdisc show`. The rate of tbf is in bytes per second. */
const Queues = Type.Array(
  Type.Object({
    dev: Type.String(),
    root: Type.Optional(Type.Boolean()),
    options: Type.Optional(Type.Object({ rate: Type.Optional(Type.Number()) })),
  }),
)

/**
 * Return the links whose queue differs from that of {@link shapingLines}, for example because an earlier agent has made it.
 *
 * @param shown - the output of `tc -json qdisc show`.
 */
export function findShapedOtherwise(
  shown: string,
  links: readonly string[],
  mbps: number | null,
): readonly string[] {
  const queues = Value.Parse(Queues, JSON.parse(shown)).filter(({ root }) => root === true)
  const rates = new Map(queues.map(({ dev, options }) => [dev, options?.rate]))
  const wanted = mbps === null ? undefined : Math.floor(Math.round(mbps * 1e6) / 8)
  return links.filter((link) => rates.get(link) !== wanted)
}

type Direction = 'from' | 'to'

function shareLines(direction: Direction, links: readonly string[]): string {
  const end = direction === 'from' ? 'iifname' : 'oifname'
  const map = links.map((link) => `"${link}" : "${objectName(direction, link)}"`)
  return `    limit name ${end} map { ${map.join(', ')} } accept
    limit name "${direction}_all" accept
    drop`
}

/** Return the name of an object in nft, where names cannot contain hyphens. */
function objectName(direction: Direction, link: string): string {
  return `${direction}_${link.replaceAll('-', '_')}`
}

function limit(name: string, rateBps: number): string {
  const burstBytes = Math.max(leastBurstBytes, Math.round(rateBps * burstS))
  return `  limit ${name} { rate ${rateBps} bytes/second burst ${burstBytes} bytes; }`
}
