import type { Db } from './selection.ts'

/** A group, and whom to ask for something in it. */
export interface GroupContact {
  readonly id: number
  readonly name: string
  /** The names of its active group admins, in alphabetical order; not all when there are many. */
  readonly admins: readonly string[]
}

/** The most admins that a refusal names. */
const mostAdmins = 5

/** Read whom to ask for something in a group; null when there is no such group. */
export async function readGroupContact(
  db: Db,
  groupId: number | null,
): Promise<GroupContact | null> {
  if (groupId === null) return null
  const rows = await db
    .selectFrom('groups')
    .leftJoin('group_roles', (join) =>
      join.onRef('group_roles.group_id', '=', 'groups.id').on('is_group_admin', '=', true),
    )
    .leftJoin('users', (join) =>
      join.onRef('users.id', '=', 'group_roles.user_id').on('users.is_active', '=', true),
    )
    .select(['groups.name', 'users.name as admin'])
    .where('groups.id', '=', groupId)
    .orderBy('users.name')
    .execute()
  const [first] = rows
  if (first === undefined) return null
  const admins = rows.flatMap(({ admin }) => (admin === null ? [] : [admin]))
  return { id: groupId, name: first.name, admins: admins.slice(0, mostAdmins) }
}
