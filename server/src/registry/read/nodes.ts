import { sql } from 'kysely'
import {
  lendsAll,
  nodeManagementAddress,
  nodeTincName,
  path,
  routes,
  sliverId,
  type Node,
  type ResourceName,
} from '@community-lab/contract'
import { isReserved } from '../../domain/admission.ts'
import { lendResource, showResource } from '../../domain/lends.ts'
import { promisedOf } from '../../domain/promised.ts'
import { describeFailures, type Readiness } from '../../domain/readiness.ts'
import type { NodeTable } from '../../postgres/tables.ts'
import type { Selectable } from 'kysely'
import { islandRef } from './places.ts'
import { selectPart, type Db, type Selection, type Surroundings } from './selection.ts'

interface Occupant {
  readonly slice_id: number
  readonly node_id: number
  readonly resources: readonly { readonly name: ResourceName; readonly req: number }[]
}

/** Read nodes with what they lend and what is left of it. */
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
  const lends = { ...lendsAll, ...row.lends }
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
    resources: (report?.resources ?? []).map((resource) =>
      showResource(lendResource(resource, lends), takenOf(resource.name, occupants)),
    ),
    lends,
    lending: report?.lending ?? null,
    not_ready: showReadiness(row.readiness),
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

function showReadiness(readiness: Readiness): { since: string; reason: string } | null {
  const { since } = readiness
  return since === null ? null : { since, reason: describeFailures(readiness) }
}

function takenOf(name: ResourceName, occupants: readonly Occupant[]): number | null {
  if (!isReserved(name)) return null
  return occupants.reduce((sum, { resources }) => sum + promisedOf(resources, name), 0)
}
