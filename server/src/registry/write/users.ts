import { LabError, type User } from '@community-lab/contract'
import type { Change } from '../change.ts'
import { found } from '../refusal.ts'
import type { RegistryStore } from '../store.ts'
import { readUsers } from '../read/access.ts'
import { voidTokens } from './void-tokens.ts'

/** The group of users that name none. */
const defaultGroup = 'community-lab'
/** The most SSH keys of one user. */
const maxAuthTokens = 100

/** Add an SSH public key to a user; slivers of the group let it in from now on. Adding it again changes nothing. */
export async function addAuthToken(
  store: RegistryStore,
  userId: number,
  key: string,
): Promise<User> {
  return changeAuthTokens(store, userId, (keys) =>
    // The newest are kept: a notebook server that is made again each day brings a new key each day.
    keys.includes(key) ? keys : [...keys, key].slice(-maxAuthTokens),
  )
}

/** Take an SSH public key away from a user; slivers of the group let it in no more. Taking it away again changes nothing. */
export async function removeAuthToken(
  store: RegistryStore,
  userId: number,
  key: string,
): Promise<User> {
  return changeAuthTokens(store, userId, (keys) =>
    keys.includes(key) ? keys.filter((each) => each !== key) : keys,
  )
}

/**
 * Remove a user with their tokens and SSH keys. What they made belongs to their group, and stays.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LAST_OPERATOR.
 */
export async function deleteUser(store: RegistryStore, id: number): Promise<void> {
  await store.change(async (change) => {
    const user = await lockUser(change, id)
    await voidTokens(change, { userId: id })
    await change.tx.deleteFrom('users').where('id', '=', id).execute()
    // Nodes let in the SSH keys of a sliver's group.
    if (user.auth_tokens.length > 0) change.targetsOf('group', user.group_id)
  })
}

/** Find a user, or make one of this name. @throws {@link LabError} LAB_REQUEST_INVALID when the user is in another group. */
export async function ensureUser(change: Change, name: string, group?: string): Promise<number> {
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
  // Another request may make the same user at this moment: it is the same user then.
  await tx
    .insertInto('users')
    .values({ name, group_id: groupId, auth_tokens: [] })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { id } = await tx
    .selectFrom('users')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return id
}

async function changeAuthTokens(
  store: RegistryStore,
  userId: number,
  change: (keys: readonly string[]) => readonly string[],
): Promise<User> {
  return store.change(async (under) => {
    const user = await lockUser(under, userId)
    const keys = change(user.auth_tokens)
    if (keys !== user.auth_tokens) {
      await under.tx
        .updateTable('users')
        .set({ auth_tokens: [...keys] })
        .where('id', '=', userId)
        .execute()
      under.targetsOf('group', user.group_id)
    }
    return found((await readUsers(under.tx, { ids: [userId] }))[0], 'user', userId)
  })
}

async function lockUser(change: Change, id: number) {
  const row = await change.tx
    .selectFrom('users')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  return found(row, 'user', id)
}
