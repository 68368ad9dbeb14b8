import { AuditEntry, path, routes } from '@community-lab/contract'
import { sql } from 'kysely'
import { integer, object, text } from '../../postgres/filter.ts'
import type { RegistryStore } from '../store.ts'
import type { ListSource } from './list-source.ts'
import { count, selectPart, type Db, type Part } from './selection.ts'

/** List the audit trail, in the order in which changes were written. */
export function listAudit({ db }: RegistryStore): ListSource<AuditEntry> {
  return {
    schema: AuditEntry,
    endless: { idOf: ({ id }) => id, after: (id) => sql<boolean>`audit.id > ${id}::bigint` },
    columns: {
      '/id': integer(sql`audit.id`),
      '/user': object(sql`audit.user_id`),
      '/user/id': integer(sql`audit.user_id`),
      '/user_name': text(sql`audit.user_name`),
      '/token': object(sql`audit.token_id`),
      '/token/id': integer(sql`audit.token_id`),
      '/token_name': text(sql`audit.token_name`),
      '/role': text(sql`audit.role`),
      '/address': text(sql`audit.address`),
      '/right': text(sql`audit."right"`),
      '/kind': text(sql`audit.kind`),
      '/action': text(sql`audit.action`),
      '/object_id': text(sql`audit.object_id`),
      '/object_name': text(sql`audit.object_name`),
      '/count': integer(sql`audit.count`),
    },
    count: (where) => count(db, sql`audit`, where),
    read: (page) => readAudit(db, page),
    after: ({ id }) => sql<boolean>`audit.id > ${id}`,
  }
}

/** Read entries of the audit trail. */
export async function readAudit(
  db: Db,
  { ids, ...part }: Part & { readonly ids?: readonly number[] } = {},
): Promise<AuditEntry[]> {
  let query = db.selectFrom('audit').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.auditEntry, { id: row.id }),
    id: row.id,
    time: row.time.toISOString(),
    user:
      row.user_id === null
        ? null
        : { uri: path(routes.user, { id: row.user_id }), id: row.user_id },
    user_name: row.user_name,
    token:
      row.token_id === null
        ? null
        : { uri: path(routes.token, { id: row.token_id }), id: row.token_id },
    token_name: row.token_name,
    role: row.role,
    address: row.address,
    right: row.right,
    kind: row.kind,
    action: row.action,
    object_id: row.object_id,
    object_name: row.object_name,
    count: row.count,
  }))
}
