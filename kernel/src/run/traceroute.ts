import { LabError, Node as NodeSchema, routes } from '@community-lab/contract'
import Type from 'typebox'
import { abortSignal, durationMs } from '../argument.ts'
import type { Session } from '../session.ts'
import { runInside, type Sliver } from '../sliver/sliver.ts'
import { requireOk } from '../ssh/result.ts'
import { readStatus } from '../virtual.ts'
import {
  createRoute,
  nameHops,
  readHops,
  routeCommand,
  type NodeAddresses,
  type Route,
} from './route.ts'

export type { Route } from './route.ts'

/** Options of a traceroute. */
export interface TraceOptions {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** The types of the options. */
export const traceKinds = { timeoutMs: durationMs, signal: abortSignal }

/** The ends of a route to trace. */
export interface TraceOrder extends TraceOptions {
  readonly from: Sliver
  readonly to: Sliver
  readonly signal: AbortSignal
}

/** Trace the route between two slivers. See `Slice.traceroute`. */
export async function traceRoute(
  session: Session,
  { from, to, ...options }: TraceOrder,
): Promise<Route> {
  const [result, nodes] = await Promise.all([
    runInside(from, routeCommand(to.address), options),
    readAddresses(session, options.signal),
  ])
  requireOk([result], 'traceroute')
  const { hops, reached } = readHops(result.stdout, to.address)
  return createRoute(from.node, nameHops(hops, nodes), reached)
}

/** Read the names of the nodes, with what is known of their addresses. */
export async function readAddresses(
  session: Session,
  signal: AbortSignal,
): Promise<NodeAddresses[]> {
  const [nodes, routers] = await Promise.all([
    session.http.ask(Type.Array(NodeSchema), routes.nodes, { signal }),
    readRouters(session, signal),
  ])
  return nodes.map(({ name, public_prefix: prefix }) => ({
    name,
    prefix,
    address: routers.get(name) ?? null,
  }))
}

/** Read the addresses of routers, which only a virtual testbed knows. In other testbeds they stay without a name. */
async function readRouters(session: Session, signal: AbortSignal): Promise<Map<string, string>> {
  if (session.credentials.vct_socket === undefined) return new Map()
  try {
    const { nodes } = await readStatus(session.control(), signal)
    return new Map(nodes.map((node) => [node.name, node.community_addr]))
  } catch (error) {
    // The route is known without the names of its routers.
    if (LabError.is(error)) return new Map()
    throw error
  }
}
