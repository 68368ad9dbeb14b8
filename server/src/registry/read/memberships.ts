import { sql, type RawBuilder } from 'kysely'
import type { GroupRoleTable } from '../../postgres/tables.ts'

/** Return an SQL expression for the memberships of a user, as an array. */
export function membershipsOf(userId: RawBuilder<unknown>): RawBuilder<readonly GroupRoleTable[]> {
  return rolesWhere(sql`user_id = ${userId}`)
}

/** Return an SQL expression for the members of a group, as an array. */
export function membersOf(groupId: RawBuilder<unknown>): RawBuilder<readonly GroupRoleTable[]> {
  return rolesWhere(sql`group_id = ${groupId}`)
}

function rolesWhere(condition: RawBuilder<unknown>): RawBuilder<readonly GroupRoleTable[]> {
  return sql<readonly GroupRoleTable[]>`(
    select coalesce(jsonb_agg(to_jsonb(one) order by group_id, user_id), '[]')
    from group_roles as one where ${condition})`
}
