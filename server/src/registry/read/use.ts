import { sql, type RawBuilder } from 'kysely'
import type { SliceUse } from '../../domain/quota.ts'
import { promised } from './promised.ts'
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
      ${sumOf('memory')} as memory_mib,
      ${sumOf('disk')} as disk_mib
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

/** Return an SQL expression for the sum of a resource over the slivers of a slice. A slice without slivers has one row without a sliver. */
function sumOf(resource: 'memory' | 'disk'): RawBuilder<number> {
  return sql`coalesce(sum(${promised(resource)}) filter (where slivers.node_id is not null), 0)::bigint`
}
