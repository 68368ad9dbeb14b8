import { LabError } from '@community-lab/contract'
import type { Change } from '../change.ts'

/** The group of users that name none. */
const defaultGroup = 'community-lab'

/** Whom an operator makes a token for. */
export interface WantedUser {
  readonly name: string
  /** The name of a group that the user is to be in. */
  readonly group?: string | undefined
  readonly isOperator: boolean
}

/**
 * Find a user, or make one of this name, in a group that is made too where there is none: a group that an operator makes so is allowed slices, and an operator's
 * nodes too. The first member of a group is its admin, others make slices.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID when the user is there and is in another group, or is no operator.
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
  // Another request may make the same user at this moment: it is the same user then.
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
