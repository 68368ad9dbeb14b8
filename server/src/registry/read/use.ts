import { sql, type RawBuilder } from 'kysely'
import type { SliceUse } from '../../domain/quota.ts'
import type { Db } from './selection.ts'

interface UseRow {
  readonly group_id: number
  readonly slice: string
  readonly slivers: number
  readonly memory_mib: number
  readonly disk_mib: number
}

/** Read what each slice of groups uses of their quotas, by the id of the group. A group without slices has no entry. */
export async function readUses(
  db: Db,
  groupIds: readonly number[],
): Promise<ReadonlyMap<number, readonly SliceUse[]>> {
  const { rows } = await sql<UseRow>`
    select slices.group_id, slices.name as slice, count(slivers.node_id) as slivers,
      coalesce(sum(${requested('memory')}), 0)::bigint as memory_mib,
      coalesce(sum(${requested('disk')}), 0)::bigint as disk_mib
    from slices left join slivers on slivers.slice_id = slices.id
    where slices.group_id = any(${groupIds}::int[])
    group by slices.id
    order by slices.id`.execute(db)
  return Map.groupBy(
    rows.map(({ group_id: groupId, slice, ...use }) => ({
      groupId,
      slice,
      use: { slices: 1, ...use },
    })),
    ({ groupId }) => groupId,
  )
}

/** Return an SQL expression for the amount of a resource that a sliver has requested. */
function requested(resource: 'memory' | 'disk'): RawBuilder<number> {
  const path = sql.lit(`$[*] ? (@.name == "${resource}").req`)
  return sql`jsonb_path_query_first(slivers.resources, ${path}::jsonpath)::bigint`
}
