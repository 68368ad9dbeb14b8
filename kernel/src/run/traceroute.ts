import { LabError, Node as NodeSchema, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'
import type { Sliver } from '../sliver/sliver.ts'
import type { ExecOptions } from '../ssh/exec.ts'
import { collectResults } from '../ssh/result.ts'
import { requireOk } from '../ssh/requirement.ts'
import { VirtualTestbed } from '../virtual.ts'
import {
  createRoute,
  nameHops,
  readHops,
  routeCommand,
  type NodeAddresses,
  type Route,
} from './route.ts'

export type { Route } from './route.ts'

/** Find the way between two slivers. See `Slice.traceroute`. */
export async function traceRoute(
  session: Session,
  { from, to, ...options }: { readonly from: Sliver; readonly to: Sliver } & ExecOptions,
): Promise<Route> {
  const [result, nodes] = await Promise.all([
    from.exec(routeCommand(to.address), options),
    readAddresses(session),
  ])
  requireOk(collectResults([result]), 'traceroute')
  const { hops, reached } = readHops(result.stdout, to.address)
  return createRoute(from.node, nameHops(hops, nodes), reached)
}

async function readAddresses(session: Session): Promise<NodeAddresses[]> {
  const [nodes, routers] = await Promise.all([
    session.http.ask(Type.Array(NodeSchema), routes.nodes),
    readRouters(session),
  ])
  return nodes.map(({ name, public_prefix: prefix }) => ({
    name,
    prefix,
    address: routers.get(name) ?? null,
  }))
}

/** Routers' own addresses are known of a virtual testbed; elsewhere an address stands for itself. */
async function readRouters(session: Session): Promise<Map<string, string>> {
  if (session.credentials.vct_socket === undefined) return new Map()
  try {
    const { nodes } = await new VirtualTestbed(session).status()
    return new Map(nodes.map((node) => [node.name, node.community_addr]))
  } catch (error) {
    // The way is known without its names.
    if (LabError.is(error)) return new Map()
    throw error
  }
}
