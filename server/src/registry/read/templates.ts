import { sql, type Selectable } from 'kysely'
import {
  path,
  routes,
  templateName,
  type Template,
  type TemplateVersion,
} from '@community-lab/contract'
import { defaultVersion } from '../../domain/template-choice.ts'
import type { TemplateVersionTable } from '../../postgres/tables.ts'
import { brokenVersions } from './broken-images.ts'
import { selectPart, type Db, type Selection } from './selection.ts'

/** Read templates with their versions. */
export async function readTemplates(
  db: Db,
  { ids, names, ...part }: Selection = {},
): Promise<Template[]> {
  let query = db.selectFrom('templates').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  if (names !== undefined) query = query.where('name', '=', sql<string>`any(${names}::text[])`)
  const rows = await selectPart(query, part).execute()
  const versions = await db
    .selectFrom('template_versions')
    .selectAll()
    .where('template_id', '=', sql<number>`any(${rows.map((row) => row.id)}::int[])`)
    .orderBy('version', 'desc')
    .execute()
  const broken = await readBroken(
    db,
    rows.map((row) => row.id),
  )
  const byTemplate = Map.groupBy(versions, (version) => version.template_id)
  return rows.map((row) => {
    const own = (byTemplate.get(row.id) ?? []).map((version) =>
      showVersion(version, broken.get(templateName(String(row.id), version.version)) ?? null),
    )
    const shown = defaultVersion(own)
    return {
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
      version: shown?.version ?? null,
      image_uri: shown?.image_uri ?? null,
      image_sha256: shown?.image_sha256 ?? null,
      image_size_bytes: shown?.image_size_bytes ?? null,
      versions: own,
    }
  })
}

/** How many nodes could not unpack an image, and what the first of them said. */
interface Broken {
  readonly nodes: number
  readonly message: string
}

/** Read which versions nodes could not unpack, by `template@version`. */
async function readBroken(
  db: Db,
  templateIds: readonly number[],
): Promise<ReadonlyMap<string, Broken>> {
  const rows = await db
    .selectFrom(brokenVersions.as('broken'))
    .selectAll()
    .where('template_id', '=', sql<number>`any(${templateIds}::int[])`)
    .execute()
  return new Map(
    rows.map(({ template_id: id, version, nodes, message }) => [
      templateName(String(id), version),
      { nodes, message },
    ]),
  )
}

function showVersion(
  row: Selectable<TemplateVersionTable>,
  broken: Broken | null,
): TemplateVersion {
  const id = { id: row.template_id, version: row.version }
  return {
    uri: path(routes.templateVersion, id),
    version: row.version,
    image_uri: path(routes.templateImage, id),
    image_sha256: row.image_sha256,
    image_size_bytes: row.image_size_bytes,
    is_public: row.is_public,
    created_on: row.created_on.toISOString(),
    broken: row.has_run ? null : broken,
  }
}
