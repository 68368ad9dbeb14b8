import { LabError } from '@community-lab/contract'
import { sql } from 'kysely'
import { findRefusal, groupsWithRight } from '../domain/asker.ts'
import type { RightName } from '../domain/rights.ts'
import type { Db } from '../registry/read/selection.ts'
import { found } from '../domain/found.ts'
import { readGroupContact } from '../registry/read/group-contact.ts'
import { describeRefusal, permit } from './permit.ts'
import type { Principal } from './principal.ts'

/** The kind of object to create, and the group that the request names. */
export interface GroupChoice {
  readonly right: RightName
  /** The kind of object that operators must have allowed the group. */
  readonly needs: 'nodes' | 'slices'
  /** The group in the request, by its id or name; undefined when the request names none. */
  readonly named: number | string | undefined
}

/**
 * Choose the group for which something is made: the one that the request names, or the only one in which the asker may make it.
 *
 * @throws {@link LabError} LAB_AUTH_FORBIDDEN, LAB_GROUP_UNCLEAR, LAB_NOT_FOUND.
 */
export async function chooseGroup(
  db: Db,
  principal: Principal,
  { right, needs, named }: GroupChoice,
): Promise<number> {
  if (named !== undefined) {
    const key = typeof named === 'number' ? 'id' : 'name'
    const row = await db.selectFrom('groups').select('id').where(key, '=', named).executeTakeFirst()
    const { id } = found(row, 'group', named)
    const refusal = findRefusal(right, principal, { groupId: id })
    if (refusal !== null)
      throw describeRefusal(refusal, principal, {
        name: right,
        group: await readGroupContact(db, id),
      })
    return id
  }
  const own = groupsWithRight(right, principal)
  if (own.length === 0) permit(principal, right)
  const groups = await db
    .selectFrom('groups')
    .select(['id', 'name', `allow_${needs} as isAllowed`])
    // An operator who is in no such group may choose any.
    .$if(own.length > 0, (query) => query.where('id', '=', sql<number>`any(${own}::int[])`))
    .orderBy('name')
    .execute()
  const allowed = groups.filter(({ isAllowed }) => isAllowed)
  const [first, ...others] = allowed.length > 0 ? allowed : groups
  if (first !== undefined && others.length === 0 && own.length > 0) return first.id
  const names = [first, ...others].flatMap((group) => (group === undefined ? [] : [group.name]))
  throw new LabError('LAB_GROUP_UNCLEAR', { action: right, groups: names.slice(0, 20) })
}
