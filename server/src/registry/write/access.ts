import {
  LabError,
  path,
  routes,
  type Group,
  type Token,
  type TokenCreate,
  type TokenCreated,
  type User,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import type { Db } from '../read/selection.ts'
import { found, type Core } from '../core.ts'
import type { Change } from '../change.ts'

/** The group of users that name none. */
const defaultGroup = 'community-lab'
/** The most SSH keys of one user. */
const maxAuthTokens = 100

/** Read groups. */
export async function readGroups(db: Db): Promise<Group[]> {
  const rows = await db.selectFrom('groups').selectAll().orderBy('id').execute()
  return rows.map((row) => ({ uri: path(routes.group, { id: row.id }), ...row }))
}

/** Read users; `id`: one of them. */
export async function readUsers(db: Db, id?: number): Promise<User[]> {
  let query = db.selectFrom('users').selectAll().orderBy('id')
  if (id !== undefined) query = query.where('id', '=', id)
  return (await query.execute()).map((row) => ({
    uri: path(routes.user, { id: row.id }),
    id: row.id,
    name: row.name,
    group: { uri: path(routes.group, { id: row.group_id }), id: row.group_id },
    auth_tokens: row.auth_tokens,
  }))
}

/** Read tokens, without their secrets; `id`: one of them. */
export async function readTokens(db: Db, id?: number): Promise<Token[]> {
  let query = db.selectFrom('tokens').selectAll().orderBy('id')
  if (id !== undefined) query = query.where('id', '=', id)
  return (await query.execute()).map((row) => ({
    uri: path(routes.token, { id: row.id }),
    id: row.id,
    name: row.name,
    role: row.role,
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

/** Make a token, and its user and group when there are none of these names. */
export async function createToken(core: Core, body: TokenCreate): Promise<TokenCreated> {
  return core.change((change) => insertToken(core, change, body))
}

/** Void a token. */
export async function deleteToken(core: Core, id: number): Promise<void> {
  const { numDeletedRows } = await core.db
    .deleteFrom('tokens')
    .where('id', '=', id)
    .executeTakeFirst()
  if (numDeletedRows === 0n) throw new LabError('LAB_NOT_FOUND', { kind: 'token', id: String(id) })
}

/** Add an SSH public key to a user; slivers of the group let it in from now on. Adding it again changes nothing. */
export async function addAuthToken(core: Core, userId: number, key: string): Promise<User> {
  return core.change(async (change) => {
    const row = await change.tx
      .selectFrom('users')
      .selectAll()
      .where('id', '=', userId)
      .forUpdate()
      .executeTakeFirst()
    const user = found(row, 'user', userId)
    if (!user.auth_tokens.includes(key)) {
      // The newest are kept: a notebook server that is made anew each day brings a new key each day.
      const kept = [...user.auth_tokens, key].slice(-maxAuthTokens)
      await change.tx
        .updateTable('users')
        .set({ auth_tokens: kept })
        .where('id', '=', userId)
        .execute()
      const nodes = await change.tx
        .selectFrom('slivers')
        .innerJoin('slices', 'slices.id', 'slivers.slice_id')
        .select('slivers.node_id')
        .distinct()
        .where('slices.group_id', '=', user.group_id)
        .execute()
      for (const { node_id: nodeId } of nodes) change.target(nodeId)
    }
    return found((await readUsers(change.tx, userId))[0], 'user', userId)
  })
}

/**
 * Make the first operator's token, when there is no token at all.
 *
 * @param keep called with the secret before it takes effect: a token that nobody could keep is not made
 */
export async function bootstrap(
  core: Core,
  keep: (secret: string) => Promise<void>,
): Promise<boolean> {
  return core.change(async (change) => {
    const { count } = await change.tx
      .selectFrom('tokens')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    if (count > 0) return false
    const spec = { name: 'first', role: 'operator', user: 'operator' } as const
    await keep((await insertToken(core, change, spec)).secret)
    return true
  })
}

async function insertToken(
  core: Core,
  change: Change,
  { name, role, user, group, expires_on: expiresOn }: TokenCreate,
): Promise<TokenCreated> {
  const { tx } = change
  const userId = await ensureUser(change, user, group)
  const secret = makeSecret(role === 'operator' ? 'clo' : 'clr')
  const { id } = await tx
    .insertInto('tokens')
    .values({
      name,
      role,
      user_id: userId,
      secret_sha256: hashSecret(secret),
      expires_on: expiresOn === undefined ? null : new Date(expiresOn),
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return { token: found((await readTokens(tx, id))[0], 'token', id), secret }
}

async function ensureUser(change: Change, name: string, group?: string): Promise<number> {
  const { tx } = change
  const user = await tx
    .selectFrom('users')
    .innerJoin('groups', 'groups.id', 'users.group_id')
    .select(['users.id', 'groups.name as group'])
    .where('users.name', '=', name)
    .executeTakeFirst()
  if (user !== undefined) {
    if (group !== undefined && group !== user.group)
      throw new LabError('LAB_REQUEST_INVALID', {
        issues: [{ pointer: '/group', message: `user ${name} is in group ${user.group}` }],
      })
    return user.id
  }
  const groupName = group ?? defaultGroup
  await tx
    .insertInto('groups')
    .values({ name: groupName, description: '' })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { id: groupId } = await tx
    .selectFrom('groups')
    .select('id')
    .where('name', '=', groupName)
    .executeTakeFirstOrThrow()
  const { id } = await tx
    .insertInto('users')
    .values({ name, group_id: groupId, auth_tokens: [] })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}
