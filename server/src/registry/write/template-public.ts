import { sql } from 'kysely'
import type { Change } from '../change.ts'

/** Make the newest version of a template public, or all of them private. A template without versions keeps this for its first one. */
export async function publishTemplate(
  change: Change,
  id: number,
  isPublic: boolean,
): Promise<void> {
  await change.tx
    .updateTable('templates')
    .set({ is_public: isPublic })
    .where('id', '=', id)
    .execute()
  const all = change.tx
    .updateTable('template_versions')
    .set({ is_public: isPublic })
    .where('template_id', '=', id)
  const newest = sql<number>`(select max(version) from template_versions where template_id = ${id})`
  await (isPublic ? all.where('version', '=', newest) : all).execute()
}

/** Store whether one of a template's versions is public. Without versions, it stays as it is. */
export async function notePublic({ tx }: Change, id: number): Promise<void> {
  await sql`update templates set is_public = coalesce(
    (select bool_or(is_public) from template_versions where template_id = ${id}), is_public)
    where id = ${id}`.execute(tx)
}
