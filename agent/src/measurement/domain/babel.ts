/** A neighbour on a link, as babeld knows it. */
export interface BabelNeighbour {
  readonly interface: string
  /** The neighbour's link-local address. */
  readonly address: string
  /** Which of its last 16 hellos arrived: the most recent is the highest bit. */
  readonly reach: number
  /** The cost of receiving from it, as babeld computes it from the hellos. {@link infiniteCost}: the link cannot be used. */
  readonly rxCost: number
  /** The cost of sending to it, as the neighbour has said. */
  readonly txCost: number
  /** The cost of the link in metrics. */
  readonly cost: number
  /** The smoothed round trip in seconds; null when the two do not measure it. */
  readonly rttS: number | null
}

/** A destination that this node announces itself, or to which it uses a route. */
export interface BabelRoute {
  /** The prefix, such as `fd00::1/128`. */
  readonly destination: string
  /** The prefix of senders for which the route is; null: all. */
  readonly source: string | null
  /** 0 for a destination that is announced. */
  readonly metric: number
  /** Where packets are sent first; null when the node announces the destination itself. */
  readonly via: {
    readonly interface: string
    readonly nextHop: string
    /** The id of the router that announces the destination. */
    readonly router: string
    /** The metric that the next hop has said. */
    readonly refMetric: number
  } | null
}

/** What babeld says of itself. */
export interface BabelState {
  /** The link-local address of each interface. */
  readonly addresses: ReadonlyMap<string, string>
  readonly neighbours: readonly BabelNeighbour[]
  /** Installed routes and own destinations, in the order of babeld. */
  readonly routes: readonly BabelRoute[]
}

/** The cost of a link or route that cannot be used. Source: RFC 8966, section 2.1 and appendix A. */
export const infiniteCost = 0xffff

/** The number of hellos that babeld remembers of a neighbour. Source: RFC 8966, appendix A.1; the register `reach` has 16 bits. */
export const rememberedHellos = 16

/**
 * Read babeld's answer to `dump`. Lines of other kinds, which later versions may add, are ignored, as babeld's manual asks.
 *
 * Source: babeld(8), "Local configuration interface", and local.c of babeld 1.12.
 */
export function parseBabelDump(text: string): BabelState {
  const addresses = new Map<string, string>()
  const neighbours: BabelNeighbour[] = []
  const routes: BabelRoute[] = []
  for (const line of text.split('\n')) {
    const [, kind, id = '', rest] = /^add (\w+) (\S+) (.*)$/u.exec(line) ?? []
    const words = wordsOf(rest ?? '')
    if (kind === 'interface') {
      const address = words.get('ipv6')
      if (address !== undefined) addresses.set(id, address)
    } else if (kind === 'neighbour') {
      const neighbour = neighbourOf(words)
      if (neighbour !== null) neighbours.push(neighbour)
    } else if (kind === 'xroute' || kind === 'route') {
      const route = routeOf(kind, words)
      if (route !== null) routes.push(route)
    }
  }
  return { addresses, neighbours, routes }
}

/** Pairs of a name and its value. */
function wordsOf(text: string): ReadonlyMap<string, string> {
  const words = text.split(' ')
  const pairs = new Map<string, string>()
  for (let at = 0; at + 1 < words.length; at += 2) pairs.set(words[at] ?? '', words[at + 1] ?? '')
  return pairs
}

function neighbourOf(words: ReadonlyMap<string, string>): BabelNeighbour | null {
  const name = words.get('if')
  const address = words.get('address')
  const reach = /^[\da-f]{4}$/u.test(words.get('reach') ?? '')
    ? Number.parseInt(words.get('reach') ?? '', 16)
    : null
  const rxCost = number(words.get('rxcost'))
  const txCost = number(words.get('txcost'))
  const cost = number(words.get('cost'))
  const rttMs = number(words.get('rtt'))
  if (name === undefined || address === undefined) return null
  if (reach === null || rxCost === null || txCost === null || cost === null) return null
  const rttS = rttMs === null ? null : rttMs / 1000
  return { interface: name, address, reach, rxCost, txCost, cost, rttS }
}

function routeOf(kind: 'xroute' | 'route', words: ReadonlyMap<string, string>): BabelRoute | null {
  const destination = words.get('prefix')
  const metric = number(words.get('metric'))
  if (destination === undefined || metric === null) return null
  const from = words.get('from') ?? ''
  const source = from === '' || /^(?:::|0\.0\.0\.0)\/0$/u.test(from) ? null : from
  if (kind === 'xroute') return { destination, source, metric, via: null }
  const name = words.get('if')
  const nextHop = words.get('via')
  const router = words.get('id')
  const refMetric = number(words.get('refmetric'))
  if (words.get('installed') !== 'yes') return null
  if (name === undefined || nextHop === undefined || router === undefined || refMetric === null)
    return null
  return { destination, source, metric, via: { interface: name, nextHop, router, refMetric } }
}

function number(text: string | undefined): number | null {
  return text !== undefined && /^\d+(?:\.\d+)?$/u.test(text) ? Number(text) : null
}
