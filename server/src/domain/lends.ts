import {
  least,
  lendsAll,
  lentAmount,
  maxSliversPerNode,
  resourceUnits,
  type Lends,
  type Node,
  type NodeReport,
  type NodeResource,
} from '@community-lab/contract'

type ReportedResource = NodeReport['resources'][number]

/** Return what the slivers of a node may take of a resource, all together and each: what the node has, and no more than its owner lends. */
export function lendResource(resource: ReportedResource, lends: Lends): ReportedResource {
  const total = least(resource.total, lentAmount(lends, resource.name)) ?? 0
  const most = Math.min(resource.max_req, total)
  return { ...resource, total, max_req: most, dflt_req: Math.min(resource.dflt_req, most) }
}

/** Return the resource as a node shows it. `taken` is the sum of what slivers were promised; null for a resource that is shared. */
export function showResource(resource: ReportedResource, taken: number | null): NodeResource {
  const { name, total, max_req: most } = resource
  const avail = taken === null ? most : Math.max(0, total - taken)
  return { ...resource, unit: resourceUnits[name], avail }
}

/** Return how many slivers a node may have, by its registry entry and by its own settings. */
export function mostSlivers({
  lends = lendsAll,
  lending,
}: Pick<Node, 'lends' | 'lending'>): number {
  return least(least(lends.slivers, lending?.device.slivers ?? null), maxSliversPerNode) ?? 0
}
