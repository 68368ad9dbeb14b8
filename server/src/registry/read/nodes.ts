import { sql } from 'kysely'
import {
  nodeManagementAddress,
  nodeTincName,
  path,
  resourceDefaults,
  resourceUnits,
  routes,
  sliverId,
  type Node,
  type ResourceName,
} from '@community-lab/contract'
import { isReserved } from '../../domain/admission.ts'
import type { NodeTable } from '../../postgres/tables.ts'
import type { Selectable } from 'kysely'
import { islandRef } from './places.ts'
import { selectPart, type Db, type Selection, type Surroundings } from './selection.ts'

interface Occupant {
  readonly slice_id: number
  readonly node_id: number
  readonly resources: readonly { readonly name: ResourceName; readonly req: number }[]
}

/** Read nodes with their free resources. */
export async function readNodes(
  db: Db,
  { mgmtPrefix, lastSeenMs }: Surroundings,
  { ids, names, ...part }: Selection = {},
): Promise<Node[]> {
  let query = db.selectFrom('nodes').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  if (names !== undefined) query = query.where('name', '=', sql<string>`any(${names}::text[])`)
  const rows = await selectPart(query, part).execute()
  const nodeIds = rows.map((row) => row.id)
  const occupants = await db
    .selectFrom('slivers')
    .select(['slice_id', 'node_id', 'resources'])
    .where('node_id', '=', sql<number>`any(${nodeIds}::int[])`)
    .orderBy('slice_id')
    .execute()
  const byNode = Map.groupBy(occupants, (occupant) => occupant.node_id)
  return rows.map((row) => {
    const seenMs = Math.max(row.last_seen_on?.getTime() ?? 0, lastSeenMs(row.id) ?? 0)
    return showNode(row, byNode.get(row.id) ?? [], mgmtPrefix, seenMs)
  })
}

function showNode(
  row: Selectable<NodeTable>,
  occupants: readonly Occupant[],
  mgmtPrefix: string,
  seenMs: number,
): Node {
  const { id, report } = row
  return {
    uri: path(routes.node, { id }),
    id,
    name: row.name,
    description: row.description,
    group: { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    arch: row.arch,
    properties: row.properties,
    island: islandRef(row.island_id),
    cn: row.cn,
    set_state: row.set_state,
    boot_sn: row.boot_sn,
    mgmt_net: { backend: 'tinc', addr: nodeManagementAddress(mgmtPrefix, id) },
    tinc: { name: nodeTincName(id), pubkey: row.tinc_pubkey },
    resources: (report?.resources ?? []).map((resource) => ({
      ...resource,
      unit: resourceUnits[resource.name],
      avail: available(resource, occupants),
    })),
    slivers: occupants.map((occupant) => {
      const sliver = sliverId(occupant.slice_id, id)
      return { uri: path(routes.sliver, { id: sliver }), id: sliver }
    }),
    state: row.state,
    state_changed_on: row.state_changed_on?.toISOString() ?? null,
    last_seen_on: seenMs === 0 ? null : new Date(seenMs).toISOString(),
    soft_version: report?.soft_version ?? null,
    public_prefix: report?.public_prefix ?? null,
    capabilities: report?.capabilities ?? null,
    errors: report?.errors ?? [],
  }
}

function available(
  { name, total, max_req }: { name: ResourceName; total: number; max_req: number },
  occupants: readonly Occupant[],
): number {
  if (!isReserved(name)) return max_req
  const taken = occupants.map(
    ({ resources }) => resources.find((each) => each.name === name)?.req ?? resourceDefaults[name],
  )
  return Math.max(0, total - taken.reduce((sum, req) => sum + req, 0))
}
