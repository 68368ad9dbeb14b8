import type { User, UserCreate, UserPatch } from '@community-lab/contract'
import { sql } from 'kysely'
import type { Change } from '../change.ts'
import { checkIfMatch } from '../etag.ts'
import { readUsers, type KeysShown } from '../read/access.ts'
import type { Db } from '../read/selection.ts'
import { found } from '../../domain/found.ts'
import { mutedAfter } from '../../domain/notification.ts'
import { claimName } from './claim-name.ts'
import type { RegistryStore } from '../store.ts'
import { cutOpenOf, lockGroup, requireAdmins } from './group-rules.ts'
import { deleteHostsOf, noteHostsOf } from './hosts.ts'
import { deleteRequests } from './requests.ts'
import { requireLastingOperator, revokeTokens } from './revoke-tokens.ts'

/** The most SSH keys of one user. */
const maxAuthTokens = 100

/** Read one user. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readUser(db: Db, id: number, keysShown: KeysShown): Promise<User> {
  return found((await readUsers(db, { ids: [id], keysShown }))[0], 'user', id)
}

/** Create a user, who is in no group yet. @throws {@link LabError} LAB_NAME_TAKEN. */
export async function createUser(
  store: RegistryStore,
  { name, description = '' }: UserCreate,
): Promise<User> {
  return store.change(async ({ tx, trace, note }) => {
    const { id } = await claimName(
      'user',
      name,
      tx
        .insertInto('users')
        .values({ name, description, auth_tokens: [] })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    trace('user', 'created', id)
    note('user', 'created', id)
    return readUser(tx, id, 'all')
  })
}

/** Options of {@link patchUser}. */
export interface UserPatchOptions {
  readonly ifMatch: string | null
  readonly keysShown: KeysShown
}

/**
 * Change a user. The tokens and SSH keys of a disabled user are refused from this moment on, and accepted again when the user is enabled. A user who stops
 * being an operator loses all operator's tokens.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_AUTH_LAST_OPERATOR, LAB_REQUEST_PRECONDITION_FAILED.
 */
export async function patchUser(
  store: RegistryStore,
  id: number,
  body: UserPatch,
  { ifMatch, keysShown }: UserPatchOptions,
): Promise<User> {
  return store.change(async (change) => {
    const before = await lockUser(change, id)
    checkIfMatch(ifMatch, await readUser(change.tx, id, keysShown))
    const after = {
      name: body.name ?? before.name,
      description: body.description ?? before.description,
      is_active: body.is_active ?? before.is_active,
      is_superuser: body.is_superuser ?? before.is_superuser,
      muted: [...mutedAfter(before.muted, body.notifications ?? {})],
    }
    await claimName(
      'user',
      after.name,
      change.tx.updateTable('users').set(after).where('id', '=', id).execute(),
    )
    change.trace('user', 'updated', id)
    change.note('user', 'updated', id)
    if (after.is_active !== before.is_active) {
      await noteKeys(change, id)
      await noteHostsOf(change, id)
    }
    if (before.is_active && !after.is_active) {
      await cutOpenOf(change, [id])
      if (before.is_superuser) await requireLastingOperator(change, 'this user')
      await tellGroupsWithoutAdmin(change, id)
    }
    if (before.is_superuser && !after.is_superuser)
      await revokeTokens(change, { userId: id, role: 'operator' })
    return readUser(change.tx, id, keysShown)
  })
}

/** Add an SSH public key to a user. Slivers of the user's groups accept it from now on. Adding it again changes nothing. */
export async function addAuthToken(
  store: RegistryStore,
  userId: number,
  key: string,
): Promise<User> {
  return changeAuthTokens(store, userId, (keys) =>
    // The newest keys are kept, because a notebook server that is created again each day adds a new key each day.
    keys.includes(key) ? keys : [...keys, key].slice(-maxAuthTokens),
  )
}

/** Remove an SSH public key from a user. Slivers do not accept it any more. Removing it again changes nothing. */
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
 * Remove a user with their tokens, SSH keys, requests and hosts. Objects that they created belong to their groups, and stay.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LAST_OPERATOR; LAB_GROUP_LAST_ADMIN when other members would be left without an admin.
 */
export async function deleteUser(store: RegistryStore, id: number): Promise<void> {
  await store.change(async (change) => {
    const user = await lockUser(change, id)
    const groupIds = await readGroupIds(change, id)
    for (const groupId of groupIds) await lockGroup(change, groupId)
    await revokeTokens(change, { userId: id })
    await deleteHostsOf(change, id)
    await deleteRequests(change, { userId: id })
    await change.tx.deleteFrom('users').where('id', '=', id).execute()
    await requireAdmins(change, groupIds, { mayBeEmpty: true })
    change.trace('user', 'deleted', id, user.name)
    change.note('user', 'deleted', id)
    for (const groupId of groupIds) change.note('group', 'updated', groupId)
    // Slivers accept the SSH keys of the members of their group.
    if (user.auth_tokens.length > 0) groupIds.forEach((each) => change.targetsOf('group', each))
  })
}

async function changeAuthTokens(
  store: RegistryStore,
  userId: number,
  alter: (keys: readonly string[]) => readonly string[],
): Promise<User> {
  return store.change(async (change) => {
    const user = await lockUser(change, userId)
    const keys = alter(user.auth_tokens)
    if (keys !== user.auth_tokens) {
      await change.tx
        .updateTable('users')
        .set({ auth_tokens: [...keys] })
        .where('id', '=', userId)
        .execute()
      change.trace('user', 'updated', userId)
      await noteKeys(change, userId)
    }
    return readUser(change.tx, userId, 'all')
  })
}

/** Tell operators of the groups whose last active admin is disabled now. Nobody else can let members in there. */
async function tellGroupsWithoutAdmin(change: Change, userId: number): Promise<void> {
  const groups = await change.tx
    .selectFrom('group_roles')
    .innerJoin('groups', 'groups.id', 'group_roles.group_id')
    .select('groups.name')
    .where('user_id', '=', userId)
    .where('is_group_admin', '=', true)
    .where(
      sql<boolean>`not exists (select from group_roles as other join users on users.id = other.user_id
        where other.group_id = groups.id and other.is_group_admin and users.is_active)`,
    )
    .orderBy('groups.id')
    .execute()
  for (const { name } of groups)
    change.incident({
      code: 'group_without_admin',
      node: null,
      // Everybody reads incidents, but names of users are for users.
      message: `group ${name} has no active admin, because its last one was disabled; operators look after it until they make another member its admin`,
    })
}

/** Note that the SSH keys in the slivers of the user's groups have changed. */
async function noteKeys(change: Change, userId: number): Promise<void> {
  for (const groupId of await readGroupIds(change, userId)) change.targetsOf('group', groupId)
}

/** Return the groups of a user, in the order in which they are locked. */
async function readGroupIds({ tx }: Change, userId: number): Promise<readonly number[]> {
  const rows = await tx
    .selectFrom('group_roles')
    .select('group_id')
    .where('user_id', '=', userId)
    .orderBy('group_id')
    .execute()
  return rows.map(({ group_id: id }) => id)
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
