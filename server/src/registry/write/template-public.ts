import { LabError, type Template, type TemplatePatch } from '@community-lab/contract'
import { sql } from 'kysely'
import type { Change } from '../change.ts'

/** What a change of a template says about `is_public`. */
export interface Publication extends Pick<TemplatePatch, 'is_public' | 'version'> {
  /** Whether the request named the template by its ETag, so that its newest version is one that the asker has read of. */
  readonly isChecked: boolean
}

/**
 * Make one version of a template public, or all of them private. A template without versions keeps this for its first one.
 *
 * @throws {@link LabError} LAB_TEMPLATE_VERSION_NEEDED, LAB_TEMPLATE_NO_VERSION.
 */
export async function publishTemplate(
  change: Change,
  template: Template,
  publication: Publication,
): Promise<void> {
  const { is_public: isPublic } = publication
  if (isPublic === undefined) return
  const { id, versions = [] } = template
  await change.tx
    .updateTable('templates')
    .set({ is_public: isPublic })
    .where('id', '=', id)
    .execute()
  if (versions.length === 0) return
  const all = change.tx
    .updateTable('template_versions')
    .set({ is_public: isPublic })
    .where('template_id', '=', id)
  const changed = isPublic ? all.where('version', '=', namedVersion(template, publication)) : all
  await changed.execute()
}

/** Return the version that a request makes public. */
function namedVersion({ name, versions = [] }: Template, asked: Publication): number {
  const known = versions.map(({ version }) => version)
  const newest = Math.max(...known)
  const version = asked.version ?? null
  if (version === null) {
    if (asked.isChecked) return newest
    throw new LabError('LAB_TEMPLATE_VERSION_NEEDED', { template: name, newest })
  }
  if (known.includes(version)) return version
  throw new LabError('LAB_TEMPLATE_NO_VERSION', { template: name, version, known })
}

/** Store whether one of a template's versions is public. Without versions, it stays as it is. */
export async function notePublic({ tx }: Change, id: number): Promise<void> {
  await sql`update templates set is_public = coalesce(
    (select bool_or(is_public) from template_versions where template_id = ${id}), is_public)
    where id = ${id}`.execute(tx)
}
