import { sql, type RawBuilder } from 'kysely'
import {
  path,
  quotaDefaults,
  routes,
  type Agreement,
  type Group,
  type GroupRequest,
  type Ref,
  type Token,
  type User,
} from '@community-lab/contract'
import { choiceOf } from '../../domain/notification.ts'
import { sumOf } from '../../domain/quota.ts'
import { membersOf, membershipsOf } from './memberships.ts'
import { selectPart, type Db, type Part } from './selection.ts'
import { readUses } from './use.ts'

/** The groups, users, tokens and so on to read. Without `ids`, all are read. */
export interface AccessSelection extends Part {
  readonly ids?: readonly number[]
}

/** Read groups, with their members, what they own and what they use of their quotas. */
export async function readGroups(db: Db, { ids, ...part }: AccessSelection = {}): Promise<Group[]> {
  let query = db
    .selectFrom('groups')
    .selectAll()
    .select(membersOf(sql.ref('groups.id')).as('members'))
    .select(ownedBy('nodes').as('node_ids'))
    .select(ownedBy('slices').as('slice_ids'))
    .orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  const rows = await selectPart(query, part).execute()
  const groupIds = rows.map((row) => row.id)
  const uses = await readUses(db, groupIds)
  return rows.map((row) => ({
    uri: path(routes.group, { id: row.id }),
    id: row.id,
    name: row.name,
    description: row.description,
    allow_nodes: row.allow_nodes,
    allow_slices: row.allow_slices,
    agreement:
      row.agreement_version === null || row.agreement_accepted_on === null
        ? null
        : {
            ...refTo(routes.agreement, row.agreement_version),
            accepted_on: row.agreement_accepted_on.toISOString(),
          },
    user_roles: row.members.map(({ user_id: userId, group_id: _group, ...flags }) => ({
      user: refTo(routes.user, userId),
      ...flags,
    })),
    nodes: row.node_ids.map((id) => refTo(routes.node, id)),
    slices: row.slice_ids.map((id) => refTo(routes.slice, id)),
    quotas: { ...quotaDefaults, ...row.quotas },
    usage: sumOf((uses.get(row.id) ?? []).map(({ use }) => use)),
  }))
}

/** Whose SSH keys and e-mail addresses are shown: those of all users, or of one. */
export type KeysShown = 'all' | { readonly ofUser: number | null }

/** Read users. */
export async function readUsers(
  db: Db,
  { ids, keysShown, ...part }: AccessSelection & { readonly keysShown: KeysShown },
): Promise<User[]> {
  let query = db
    .selectFrom('users')
    .selectAll()
    .select(membershipsOf(sql.ref('users.id')).as('memberships'))
    .orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    uri: path(routes.user, { id: row.id }),
    id: row.id,
    name: row.name,
    description: row.description,
    is_active: row.is_active,
    is_superuser: row.is_superuser,
    date_joined: row.date_joined.toISOString(),
    group_roles: row.memberships.map(({ group_id: groupId, user_id: _user, ...flags }) => ({
      group: refTo(routes.group, groupId),
      ...flags,
    })),
    ...(keysShown === 'all' || keysShown.ofUser === row.id
      ? {
          auth_tokens: row.auth_tokens,
          email: row.email,
          has_password: row.password !== null,
          notifications: choiceOf(row.muted),
        }
      : {}),
  }))
}

/** Read versions of the agreement. */
export async function readAgreements(
  db: Db,
  { ids, ...part }: AccessSelection = {},
): Promise<Agreement[]> {
  let query = db.selectFrom('agreements').selectAll().orderBy('version')
  if (ids !== undefined) query = query.where('version', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    ...refTo(routes.agreement, row.version),
    text: row.text,
    published_on: row.published_on.toISOString(),
  }))
}

/** Read requests. */
export async function readRequests(
  db: Db,
  { ids, ...part }: AccessSelection = {},
): Promise<GroupRequest[]> {
  let query = db.selectFrom('requests').selectAll().orderBy('id')
  if (ids !== undefined) query = query.where('id', '=', sql<number>`any(${ids}::int[])`)
  return (await selectPart(query, part).execute()).map((row) => ({
    ...refTo(routes.request, row.id),
    kind: row.kind,
    group: refTo(routes.group, row.group_id),
    user: refTo(routes.user, row.user_id),
    message: row.message,
    state: row.state,
    created_on: row.created_on.toISOString(),
    decided_on: row.decided_on?.toISOString() ?? null,
    decided_by: row.decided_by === null ? null : refTo(routes.user, row.decided_by),
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
    kind: row.kind,
    made_from: row.made_from,
    user: row.user_id === null ? null : refTo(routes.user, row.user_id),
    node: row.node_id === null ? null : refTo(routes.node, row.node_id),
    created_on: row.created_on.toISOString(),
    expires_on: row.expires_on?.toISOString() ?? null,
    last_used_on: row.last_used_on?.toISOString() ?? null,
  }))
}

function refTo(route: string, id: number): Ref {
  return { uri: path(route, { id }), id }
}

/** Return an SQL expression for the ids of the objects that a group owns, as an array. */
function ownedBy(table: 'nodes' | 'slices'): RawBuilder<readonly number[]> {
  return sql<readonly number[]>`(
    select coalesce(array_agg(one.id order by one.id), '{}')
    from ${sql.table(table)} as one where one.group_id = groups.id)`
}
