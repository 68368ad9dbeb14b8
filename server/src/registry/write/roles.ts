import { LabError, type UserRoleInput } from '@community-lab/contract'
import { sql } from 'kysely'
import type { GroupRoleTable } from '../../postgres/tables.ts'
import type { Change } from '../change.ts'
import { cutOpenOf, requireAdmins } from './group-rules.ts'
import { noteRequest } from './party-notes.ts'

/** Options of {@link replaceRoles}. */
export interface RolesOptions {
  readonly byUserId: number
  /** Whether users may become members without a request of theirs. */
  readonly mayAddUnasked: boolean
}

/**
 * Replace the members of a group by a list. The row of the group is locked. A request of a new member to join is accepted by it.
 *
 * @throws {@link LabError} LAB_GROUP_LAST_ADMIN, LAB_GROUP_MEMBER_UNASKED, LAB_REQUEST_INVALID for a user who does not exist or is listed twice.
 */
export async function replaceRoles(
  change: Change,
  group: { readonly id: number; readonly name: string },
  roles: readonly UserRoleInput[],
  { byUserId, mayAddUnasked }: RolesOptions,
): Promise<void> {
  const { tx } = change
  const before = await tx
    .selectFrom('group_roles')
    .selectAll()
    .where('group_id', '=', group.id)
    .execute()
  const known = new Map(before.map((role) => [role.user_id, role]))
  const wanted = new Map(roles.map((role) => [role.user.id, flagsOf(role)]))
  if (wanted.size < roles.length) throw invalid('each user must be listed once')
  const added = [...wanted.keys()].filter((id) => !known.has(id))
  const names = await readNames(change, added)
  const accepted = await tx
    .updateTable('requests')
    .set({ state: 'accepted', decided_on: new Date(), decided_by: byUserId })
    .where('group_id', '=', group.id)
    .where('kind', '=', 'join')
    .where('state', '=', 'pending')
    .where('user_id', '=', sql<number>`any(${added}::int[])`)
    .returning(['id', 'user_id'])
    .execute()
  for (const { id } of accepted) noteRequest(change, id)
  const unasked = added.find((id) => !accepted.some(({ user_id: userId }) => userId === id))
  if (unasked !== undefined && !mayAddUnasked)
    throw new LabError('LAB_GROUP_MEMBER_UNASKED', {
      group: group.name,
      user: names.get(unasked) ?? String(unasked),
    })
  await tx.deleteFrom('group_roles').where('group_id', '=', group.id).execute()
  if (wanted.size > 0)
    await tx
      .insertInto('group_roles')
      .values([...wanted].map(([id, flags]) => ({ group_id: group.id, user_id: id, ...flags })))
      .execute()
  await requireAdmins(change, [group.id], { mayBeEmpty: false })
  change.targetsOf('group', group.id)
  const others = before.filter(({ user_id: id }) => !wanted.has(id)).map(({ user_id: id }) => id)
  for (const id of [...wanted.keys(), ...others])
    if (!isSame(known.get(id), wanted.get(id))) change.note('user', 'updated', id)
  const lost = before.filter((role) => losesSomething(role, wanted.get(role.user_id)))
  await cutOpenOf(
    change,
    lost.map(({ user_id: id }) => id),
  )
}

type Flags = Pick<GroupRoleTable, 'is_group_admin' | 'is_node_admin' | 'is_slice_admin'>

/** Return the flags of a role. Flags that are left out are false. */
export function flagsOf(role: {
  readonly [name in keyof Flags]?: boolean
}): Flags {
  return {
    is_group_admin: role.is_group_admin ?? false,
    is_node_admin: role.is_node_admin ?? false,
    is_slice_admin: role.is_slice_admin ?? false,
  }
}

function isSame(one: Flags | undefined, other: Flags | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return flagNames.every((flag) => one[flag] === other[flag])
}

const flagNames = ['is_group_admin', 'is_node_admin', 'is_slice_admin'] as const

function losesSomething(before: Flags, after: Flags | undefined): boolean {
  if (after === undefined) return true
  return flagNames.some((flag) => before[flag] && !after[flag])
}

/** The names of users, by id. @throws {@link LabError} LAB_REQUEST_INVALID when one of them does not exist. */
async function readNames(
  change: Change,
  ids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const rows = await change.tx
    .selectFrom('users')
    .select(['id', 'name'])
    .where('id', '=', sql<number>`any(${ids}::int[])`)
    .execute()
  const names = new Map(rows.map(({ id, name }) => [id, name]))
  const missing = ids.find((id) => !names.has(id))
  if (missing !== undefined) throw invalid(`there is no user ${missing}`)
  return names
}

function invalid(message: string): LabError {
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '/user_roles', message }] })
}
