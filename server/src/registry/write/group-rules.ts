import { LabError } from '@community-lab/contract'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'

/** What operators can allow a group to have. */
export type Allowed = 'nodes' | 'slices'

/** Lock the row of a group until the end of the transaction, and read it. @throws {@link LabError} LAB_NOT_FOUND. */
export async function lockGroup(change: Change, id: number) {
  const row = await change.tx
    .selectFrom('groups')
    .selectAll()
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
  return found(row, 'group', id)
}

/**
 * Require that the group is allowed nodes or slices. Nobody can withdraw that before the end of the transaction.
 *
 * @param action what cannot be done, to follow "cannot"
 * @throws {@link LabError} LAB_GROUP_NOT_ALLOWED, LAB_NOT_FOUND.
 */
export async function requireAllowed(
  change: Change,
  groupId: number,
  { what, action }: { readonly what: Allowed; readonly action: string },
): Promise<void> {
  const row = await change.tx
    .selectFrom('groups')
    .select(['name', 'allow_nodes', 'allow_slices'])
    .where('id', '=', groupId)
    .forShare()
    .executeTakeFirst()
  const { name, ...group } = found(row, 'group', groupId)
  if (!group[`allow_${what}`])
    throw new LabError('LAB_GROUP_NOT_ALLOWED', { group: name, what, action })
}

/**
 * Require that groups have an active group admin after the changes so far. The rows of the groups must be locked.
 *
 * @param mayBeEmpty a group without any member needs no admin, because operators administer it
 * @throws {@link LabError} LAB_GROUP_LAST_ADMIN.
 */
export async function requireAdmins(
  change: Change,
  groupIds: readonly number[],
  { mayBeEmpty }: { readonly mayBeEmpty: boolean },
): Promise<void> {
  for (const id of groupIds) {
    const members = await change.tx
      .selectFrom('group_roles')
      .innerJoin('users', 'users.id', 'group_roles.user_id')
      .select(['is_group_admin', 'is_active'])
      .where('group_id', '=', id)
      .execute()
    if (members.length === 0 && mayBeEmpty) continue
    if (members.some((one) => one.is_group_admin && one.is_active)) continue
    const { name } = await lockGroup(change, id)
    throw new LabError('LAB_GROUP_LAST_ADMIN', { group: name })
  }
}

/** Return the number of the newest agreement; null: there is none. */
export async function newestAgreement({ tx }: Pick<Change, 'tx'>): Promise<number | null> {
  const { newest } = await tx
    .selectFrom('agreements')
    .select((eb) => eb.fn.max('version').as('newest'))
    .executeTakeFirstOrThrow()
  return newest
}

/** End the open requests, streams and tunnels of users who have lost rights. Their tokens remain valid. */
export async function cutOpenOf(change: Change, userIds: readonly number[]): Promise<void> {
  if (userIds.length === 0) return
  const rows = await change.tx
    .selectFrom('tokens')
    .select('id')
    .where('user_id', 'in', userIds)
    .execute()
  change.cutTokens(rows.map(({ id }) => id))
}
