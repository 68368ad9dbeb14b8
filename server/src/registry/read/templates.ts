import { sql } from 'kysely'
import { path, routes, type Template } from '@community-lab/contract'
import { selectPart, type Db, type Selection } from './selection.ts'

/** Read templates. */
export async function readTemplates(
  db: Db,
  { ids, names, ...part }: Selection = {},
): Promise<Template[]> {
  let query = db.selectFrom('templates').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  if (names !== undefined) query = query.where('name', '=', sql<string>`any(${names}::text[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.template, { id: row.id }),
    id: row.id,
    name: row.name,
    description: row.description,
    type: row.type,
    node_archs: row.node_archs,
    is_active: row.is_active,
    group:
      row.group_id === null
        ? null
        : { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    is_public: row.is_public,
    image_uri: row.image_sha256 === null ? null : path(routes.templateImage, { id: row.id }),
    image_sha256: row.image_sha256,
    image_size_bytes: row.image_size_bytes,
  }))
}
