import { LabError } from '@community-lab/contract'
import type { Change } from '../change.ts'

/** The group of users for whom no group is given. */
const defaultGroup = 'community-lab'

/** The user for whom an operator creates a token. */
export interface WantedUser {
  readonly name: string
  /** The name of the user's group. */
  readonly group?: string | undefined
  readonly isOperator: boolean
}

/**
 * Find a user, or create one of this name, in a group that is also created if needed. Such a group is allowed slices, and with an operator also
 * nodes. The first member of a group is its admin, others are slice admins.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID when the user exists and is in another group, or is not an operator.
 */
export async function ensureUser(change: Change, wanted: WantedUser): Promise<number> {
  const { tx } = change
  const user = await tx
    .selectFrom('users')
    .select(['id', 'name', 'is_superuser'])
    .where('name', '=', wanted.name)
    .executeTakeFirst()
  if (user === undefined) return makeUser(change, wanted)
  if (wanted.isOperator && !user.is_superuser)
    throw invalid('/role', `user ${user.name} is no operator; make them one first`)
  if (wanted.group !== undefined && !(await isMember(change, user.id, wanted.group)))
    throw invalid('/group', `user ${user.name} is no member of group ${wanted.group}`)
  return user.id
}

async function isMember({ tx }: Change, userId: number, group: string): Promise<boolean> {
  const row = await tx
    .selectFrom('group_roles')
    .innerJoin('groups', 'groups.id', 'group_roles.group_id')
    .select('groups.id')
    .where('user_id', '=', userId)
    .where('groups.name', '=', group)
    .executeTakeFirst()
  return row !== undefined
}

async function makeUser(
  { tx, trace }: Change,
  { name, group = defaultGroup, isOperator }: WantedUser,
): Promise<number> {
  await tx
    .insertInto('groups')
    .values({ name: group, description: '', allow_slices: true, allow_nodes: isOperator })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
  const { id: groupId } = await tx
    .selectFrom('groups')
    .select('id')
    .where('name', '=', group)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()
  const first = await tx
    .selectFrom('group_roles')
    .select('user_id')
    .where('group_id', '=', groupId)
    .limit(1)
    .executeTakeFirst()
  // Another request may create the same user at this moment. Then both mean the same user.
  const made = await tx
    .insertInto('users')
    .values({ name, is_superuser: isOperator, auth_tokens: [] })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (made === undefined) {
    const other = await tx.selectFrom('users').select('id').where('name', '=', name).execute()
    return other[0]?.id ?? Promise.reject(invalid('/user', 'has just been removed'))
  }
  const flags = { is_group_admin: first === undefined, is_node_admin: false, is_slice_admin: true }
  await tx
    .insertInto('group_roles')
    .values({ group_id: groupId, user_id: made.id, ...flags })
    .execute()
  trace('user', 'created', made.id)
  return made.id
}

function invalid(pointer: string, message: string): LabError {
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer, message }] })
}
