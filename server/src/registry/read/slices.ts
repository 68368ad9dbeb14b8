import { sql } from 'kysely'
import { path, routes, sliverId, type Slice } from '@community-lab/contract'
import { showData } from './data-uri.ts'
import { selectPart, type Db, type Selection } from './selection.ts'

/** Read slices. */
export async function readSlices(
  db: Db,
  { ids, names, ...part }: Selection = {},
): Promise<Slice[]> {
  let query = db
    .selectFrom('slices')
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom('template_versions')
        .select('image_sha256')
        .whereRef('template_id', '=', 'slices.default_template_id')
        .whereRef('version', '=', 'slices.default_template_version')
        .as('template_sha256'),
    )
    .orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  if (names !== undefined) query = query.where('name', '=', sql<string>`any(${names}::text[])`)
  const rows = await selectPart(query, part).execute()
  const slivers = await db
    .selectFrom('slivers')
    .select(['slice_id', 'node_id'])
    .where('slice_id', '=', sql<number>`any(${rows.map((row) => row.id)}::int[])`)
    .orderBy('node_id')
    .execute()
  const bySlice = Map.groupBy(slivers, (sliver) => sliver.slice_id)
  return rows.map((row) => ({
    uri: path(routes.slice, { id: row.id }),
    id: row.id,
    name: row.name,
    description: row.description,
    group: { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    expires_on: row.expires_on.toISOString(),
    end_warning:
      row.warned_days === null || row.warned_on === null
        ? null
        : { days: row.warned_days, since: row.warned_on.toISOString() },
    instance_sn: row.instance_sn,
    properties: row.properties,
    set_state: row.set_state,
    sliver_defaults: {
      instance_sn: row.default_instance_sn,
      template:
        row.default_template_id === null
          ? null
          : {
              uri: path(routes.template, { id: row.default_template_id }),
              id: row.default_template_id,
            },
      template_version: row.default_template_version,
      template_sha256: row.template_sha256,
      set_state: row.default_set_state,
      ...showData(row.group_id, row.default_data_sha256),
      resources: row.default_resources,
    },
    slivers: (bySlice.get(row.id) ?? []).map(({ node_id }) => {
      const id = sliverId(row.id, node_id)
      return { uri: path(routes.sliver, { id }), id }
    }),
  }))
}
