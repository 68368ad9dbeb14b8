import { JournalEntry, path, routes } from '@community-lab/contract'
import { sql } from 'kysely'
import type { Period } from '../../domain/history.ts'
import { both, integer, text } from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import type { ListSource } from './list-source.ts'
import { count, selectPart, type Db, type Part } from './selection.ts'

/** List the entries of the journal, or those that fall into a period: the newest first. */
export function listJournal(
  { db }: RegistryStore,
  period: Period | null,
): ListSource<JournalEntry> {
  const within =
    period === null
      ? sql<boolean>`true`
      : sql<boolean>`tstzrange(journal.began_on,
            case when journal.ended_on < journal.began_on then journal.began_on else journal.ended_on end, '[]') &&
          tstzrange(to_timestamp(${period.fromMs / 1000}), to_timestamp(${period.toMs / 1000}), '()')`
  return {
    schema: JournalEntry,
    parameters: ['from', 'to'],
    endless: { idOf: ({ id }) => id, after: (id) => sql<boolean>`journal.id < ${id}::bigint` },
    columns: {
      '/id': integer(sql`journal.id`),
      '/slice/id': integer(sql`journal.slice_id`),
      '/slice_name': text(sql`journal.slice_name`),
      '/group/id': integer(sql`journal.group_id`),
      '/group_name': text(sql`journal.group_name`),
      '/node/id': integer(sql`journal.node_id`),
      '/node_name': text(sql`journal.node_name`),
      '/to': (value) => (value === null ? sql<boolean>`journal.ended_on is null` : sql`false`),
    },
    count: (where) => count(db, sql`journal`, both(within, where)),
    read: ({ where, ...page }) => readJournal(db, { where: both(within, where), ...page }),
    after: ({ id }) => sql<boolean>`journal.id < ${id}`,
  }
}

/** Read entries of the journal, the newest first. */
export async function readJournal(
  db: Db,
  { ids, ...part }: Part & { readonly ids?: readonly number[] } = {},
): Promise<JournalEntry[]> {
  let query = db.selectFrom('journal').selectAll().orderBy('id', 'desc')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::bigint[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.journalEntry, { id: row.id }),
    id: row.id,
    slice: { uri: path(routes.slice, { id: row.slice_id }), id: row.slice_id },
    slice_name: row.slice_name,
    group: { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    group_name: row.group_name,
    node: { uri: path(routes.node, { id: row.node_id }), id: row.node_id },
    node_name: row.node_name,
    from: row.began_on.toISOString(),
    to: row.ended_on?.toISOString() ?? null,
    started_on: row.started_on,
  }))
}
