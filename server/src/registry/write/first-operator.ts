import { sql } from 'kysely'
import type { Change } from '../change.ts'

const firstUser = 'operator'
const firstGroup = 'community-lab'

/** Make the user `operator` an active operator. If there is no such user, it is made, with a group that is allowed nodes and slices. Returns its id. */
export async function makeFirstOperator({ tx, trace, note }: Change): Promise<number> {
  const known = await tx
    .updateTable('users')
    .set({ is_superuser: true, is_active: true })
    .where('name', '=', firstUser)
    .returning('id')
    .executeTakeFirst()
  if (known !== undefined) {
    note('user', 'updated', known.id)
    return known.id
  }
  const { id } = await tx
    .insertInto('users')
    .values({ name: await freeName(tx), is_superuser: true, auth_tokens: [] })
    .returning('id')
    .executeTakeFirstOrThrow()
  trace('user', 'created', id)
  note('user', 'created', id)
  const group = await tx
    .insertInto('groups')
    .values({ name: firstGroup, description: '', allow_slices: true, allow_nodes: true })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  // A group of this name may be somebody's.
  if (group === undefined) return id
  const flags = { is_group_admin: true, is_node_admin: false, is_slice_admin: true }
  await tx
    .insertInto('group_roles')
    .values({ group_id: group.id, user_id: id, ...flags })
    .execute()
  trace('group', 'created', group.id)
  note('group', 'created', group.id)
  return id
}

/** Return the name of the first operator: `operator`, or with a number when a user has that name in other letters, such as `Operator`. */
async function freeName(tx: Change['tx']): Promise<string> {
  const rows = await tx
    .selectFrom('users')
    .select('name')
    .where(sql`lower(name)`, 'like', `${firstUser}%`)
    .execute()
  const taken = new Set(rows.map(({ name }) => name.toLowerCase()))
  for (let nr = 1; ; nr++) {
    const name = nr === 1 ? firstUser : `${firstUser}${nr}`
    if (!taken.has(name)) return name
  }
}
