import {
  infiniteCost,
  parseBabelDump,
  rememberedHellos,
  type BabelNeighbour,
  type BabelState,
} from '../domain/babel.ts'
import {
  fullSet,
  knownRoutes,
  routeChanges,
  type KnownRoutes,
  type RouteRow,
} from '../domain/route-changes.ts'
import { nodeSource, nowUs, type Sample } from '../sample.ts'
import { askBabel } from './babel-socket.ts'
import type { Collector } from './node-health.ts'

/** Options of {@link createNodeRouting}. */
export interface NodeRoutingOptions {
  /** babeld's socket for readers. */
  readonly socketPath: string
  /** The time after which all routes are told again, in milliseconds. */
  readonly fullSetEveryMs?: number
  /** The most neighbours that are told; default 64. */
  readonly maxNeighbours?: number
  /** The most routes that are told, in the order of their destinations; default 512. */
  readonly maxRoutes?: number
}

/**
 * Measure the node's links and routes in the community network, as its babeld knows them.
 *
 * `node_links` has a row for each neighbour in each round: `interface`, `local_address`, `neighbour_address` (both link-local; the neighbour's own rows have them the other
 * way round), `rxcost`, `txcost` and `cost` (65535: the link cannot be used), `usable`, `reach_ratio` (of the last 16 hellos, 0 to 1), `reach_bits` (these hellos; the most
 * recent is the highest bit), `rtt_s` (smoothed; only where both ends measure it).
 *
 * `node_routes` has rows in the first round and every ten minutes for all routes that are in use and all destinations that the node announces (`event` is `full`: they replace
 * what was told before), and between them for those that differ from the round before (`added`, `changed`, `removed`): `destination`, `announced` (by this node itself),
 * `metric`, and where it is not announced `refmetric`, `next_hop`, `interface`, `router_id`. A route that is gone and back between two rounds is not seen. The rows of
 * a round have the same time.
 */
export function createNodeRouting(options: NodeRoutingOptions): Collector {
  const { socketPath, fullSetEveryMs = 10 * 60_000, maxNeighbours = 64, maxRoutes = 512 } = options
  let before: KnownRoutes | null = null
  let fullAtMs = 0

  function routeRows(state: BabelState): readonly RouteRow[] {
    const now = knownRoutes(state.routes, maxRoutes)
    const isFull = before === null || performance.now() - fullAtMs >= fullSetEveryMs
    const rows = before === null || isFull ? fullSet(now) : routeChanges(before, now)
    if (isFull) fullAtMs = performance.now()
    before = now
    return rows
  }

  async function collect(): Promise<readonly Sample[]> {
    let state: BabelState
    try {
      state = parseBabelDump(await askBabel(socketPath))
    } catch (error) {
      // What changed meanwhile is not known. The next answer is told in full.
      before = null
      throw error
    }
    const timeUs = nowUs()
    const sample = (name: string, fields: Sample['fields']): Sample => ({
      time_us: timeUs,
      source: nodeSource,
      name,
      fields,
    })
    const links = state.neighbours
      .slice(0, maxNeighbours)
      .map((neighbour) => sample('node_links', linkFields(neighbour, state.addresses)))
    const routes = routeRows(state).map((row) => sample('node_routes', routeFields(row)))
    return [...links, ...routes]
  }

  return { name: 'node_routing', collect }
}

function linkFields(
  neighbour: BabelNeighbour,
  addresses: ReadonlyMap<string, string>,
): Sample['fields'] {
  const { reach, rxCost, txCost, cost, rttS } = neighbour
  const local = addresses.get(neighbour.interface)
  return {
    interface: neighbour.interface,
    ...(local === undefined ? {} : { local_address: local }),
    neighbour_address: neighbour.address,
    rxcost: rxCost,
    txcost: txCost,
    cost,
    usable: cost < infiniteCost,
    reach_ratio: countBits(reach) / rememberedHellos,
    reach_bits: reach,
    ...(rttS === null ? {} : { rtt_s: rttS }),
  }
}

function routeFields({ event, route }: RouteRow): Sample['fields'] {
  const { destination, source, metric, via } = route
  return {
    event,
    destination,
    ...(source === null ? {} : { source_prefix: source }),
    announced: via === null,
    metric,
    ...(via === null
      ? {}
      : {
          refmetric: via.refMetric,
          next_hop: via.nextHop,
          interface: via.interface,
          router_id: via.router,
        }),
  }
}

function countBits(register: number): number {
  return register.toString(2).replaceAll('0', '').length
}
