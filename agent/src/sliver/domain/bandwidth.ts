import Type from 'typebox'
import { Value } from 'typebox/value'

/** What slivers may take of the node's network, in one direction. */
export interface BandwidthShares {
  /** What each interface of a sliver may always take, in bytes per second. */
  readonly ownBps: number
  /** What all of them may take besides, first come, first served. */
  readonly commonBps: number
}

/** An interface gets this if there is as much for all, so that its sliver can always be reached by SSH. */
const enoughBps = 16_000
/** The most of all that is shared out in equal parts to give everybody enough. */
const mostShared = 0.9
/**
 * How long the filter lets a rate be exceeded after a time of quiet, besides the second that nft's limits of bytes allow anyway: TCP sends in bursts.
 * Source: Linux, nft_limit.c: "tokens_max = unit * (rate + burst) / rate".
 */
const burstS = 0.1
/** A burst holds ten whole packets at least. */
const leastBurstBytes = 15_000

/**
 * Divide the bandwidth that the owner lends: one half into equal reserved parts, the other half is common. So an interface that floods gets its part, and what the others leave of the
 * common half.
 *
 * @param mbps - what slivers together may take in a direction, in 10^6 bits per second.
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
  /** What ends the rule for packets from slivers whose source is right. */
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

/** How long an end of a link may exceed what slivers together may take, and how long packets wait there at most. */
const shaping = { burstS: 0.02, latencyMs: 100 } as const

/**
 * Write the lines for `tc -batch` that let no end of a link send faster than all slivers together may. The filter alone would let a sliver send what it may send
 * in a second at once, and that fills the queue of a narrow line, where the packets of others wait too.
 *
 * @param mbps - null: as fast as it can, as a link is when it is made.
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

/** What `tc -json qdisc show` tells of a queue; the rate of tbf is in bytes per second. */
const Queues = Type.Array(
  Type.Object({
    dev: Type.String(),
    root: Type.Optional(Type.Boolean()),
    options: Type.Optional(Type.Object({ rate: Type.Optional(Type.Number()) })),
  }),
)

/**
 * Find those of these links whose queue is not the one of {@link shapingLines}, such as an agent before has made it.
 *
 * @param shown - what `tc -json qdisc show` writes.
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

/** nft's names have no hyphens. */
function objectName(direction: Direction, link: string): string {
  return `${direction}_${link.replaceAll('-', '_')}`
}

function limit(name: string, rateBps: number): string {
  const burstBytes = Math.max(leastBurstBytes, Math.round(rateBps * burstS))
  return `  limit ${name} { rate ${rateBps} bytes/second burst ${burstBytes} bytes; }`
}
