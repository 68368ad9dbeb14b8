import { sql } from 'kysely'
import {
  defaultInterfaces,
  effectiveSetState,
  parseSliverId,
  path,
  routes,
  sliverId,
  sliverManagementAddress,
  type Sliver,
} from '@community-lab/contract'
import { showData } from './data-uri.ts'
import { selectPart, type Db, type SliverSelection, type Surroundings } from './selection.ts'

/** Read slivers, ordered by slice and node. */
export async function readSlivers(
  db: Db,
  { mgmtPrefix }: Pick<Surroundings, 'mgmtPrefix'>,
  { ids, sliceIds, nodeIds, ...part }: SliverSelection = {},
): Promise<Sliver[]> {
  let query = db
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .innerJoin('nodes', 'nodes.id', 'slivers.node_id')
    .selectAll('slivers')
    .select([
      'nodes.name as node_name',
      'slices.set_state as slice_set_state',
      'slices.default_set_state',
      'slices.default_template_id',
      'slices.group_id',
      'slices.default_template_version',
    ])
    .orderBy('slivers.slice_id')
    .orderBy('slivers.node_id')
  if (ids !== undefined) {
    const places = ids.flatMap((id) => parseSliverId(id) ?? [])
    const slices = places.map(({ sliceId }) => sliceId)
    const nodes = places.map(({ nodeId }) => nodeId)
    query = query.where(
      sql<boolean>`(slivers.slice_id, slivers.node_id) in (select * from unnest(${slices}::int[], ${nodes}::int[]))`,
    )
  }
  if (sliceIds !== undefined)
    query = query.where('slivers.slice_id', '=', sql<number>`any(${sliceIds}::int[])`)
  if (nodeIds !== undefined)
    query = query.where('slivers.node_id', '=', sql<number>`any(${nodeIds}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => {
    const { slice_id: sliceId, node_id: nodeId } = row
    const id = sliverId(sliceId, nodeId)
    const template = row.default_template_id
    return {
      uri: path(routes.sliver, { id }),
      id,
      slice: { uri: path(routes.slice, { id: sliceId }), id: sliceId },
      node: { uri: path(routes.node, { id: nodeId }), id: nodeId, name: row.node_name },
      description: row.description,
      instance_sn: row.instance_sn,
      template:
        template === null ? null : { uri: path(routes.template, { id: template }), id: template },
      ...showData(row.group_id, row.data_sha256),
      template_version: row.default_template_version,
      set_state: row.set_state,
      effective_set_state: effectiveSetState(
        row.slice_set_state,
        row.set_state,
        row.default_set_state,
      ),
      properties: row.properties,
      resources: row.resources,
      interfaces: [...defaultInterfaces],
      mgmt_net: {
        backend: 'tinc',
        addr: sliverManagementAddress(mgmtPrefix, { nodeId, sliceId, interfaceNr: managementNr }),
      },
      state: row.state,
      state_changed_on: row.state_changed_on?.toISOString() ?? null,
      actual: row.report,
      errors: row.report?.errors ?? [],
    }
  })
}

/** The number of every sliver's management interface. Source: CONFINE's main interface numbers. */
const managementNr = defaultInterfaces.find((each) => each.type === 'management')?.nr ?? 1
