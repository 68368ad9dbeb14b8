import { sql } from 'kysely'
import { path, routes, type Group, type Token, type User } from '@community-lab/contract'
import { selectPart, type Db, type Part } from './selection.ts'

/** Which groups, users or tokens; what is not given is not asked for. */
export interface AccessSelection extends Part {
  readonly ids?: readonly number[]
}

/** Read groups. */
export async function readGroups(db: Db, { ids, ...part }: AccessSelection = {}): Promise<Group[]> {
  let query = db.selectFrom('groups').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  const rows = await selectPart(query, part).execute()
  return rows.map((row) => ({ uri: path(routes.group, { id: row.id }), ...row }))
}

/** Read users. */
export async function readUsers(db: Db, { ids, ...part }: AccessSelection = {}): Promise<User[]> {
  let query = db.selectFrom('users').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.user, { id: row.id }),
    id: row.id,
    name: row.name,
    group: { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    auth_tokens: row.auth_tokens,
  }))
}

/** Read tokens, without their secrets. */
export async function readTokens(db: Db, { ids, ...part }: AccessSelection = {}): Promise<Token[]> {
  let query = db.selectFrom('tokens').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.token, { id: row.id }),
    id: row.id,
    name: row.name,
    role: row.role,
    scope: row.scope,
    user:
      row.user_id === null
        ? null
        : { uri: path(routes.user, { id: row.user_id }), id: row.user_id },
    node:
      row.node_id === null
        ? null
        : { uri: path(routes.node, { id: row.node_id }), id: row.node_id },
    created_on: row.created_on.toISOString(),
    expires_on: row.expires_on?.toISOString() ?? null,
    last_used_on: row.last_used_on?.toISOString() ?? null,
  }))
}
