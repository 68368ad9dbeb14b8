import type { NodeState, SliverHistoryState } from '@community-lab/contract'
import { sql, type RawBuilder } from 'kysely'
import type { Period } from '../../domain/history.ts'
import type { RegistryStore } from '../store.ts'

/** How long something was in a state within a period. */
export interface StateTime<S extends string> {
  readonly state: S
  readonly ms: number
}

/** Read how long a node was in each state within a period, while a server ran. The rest of the period is `nodata`. */
export function readNodeTimes(
  store: RegistryStore,
  nodeId: number,
  period: Period,
): Promise<readonly StateTime<NodeState>[]> {
  return readTimes<NodeState>(store, period, {
    own: sql`select state, began_on, ended_on from node_states where node_id = ${nodeId}`,
    hidden: sql`select state, began_on, ended_on from node_states where false`,
  })
}

/** Read how long a sliver was in each state, as {@link readNodeTimes}. While its node is offline or has crashed, it has that state. */
export function readSliverTimes(
  store: RegistryStore,
  { sliceId, nodeId }: { readonly sliceId: number; readonly nodeId: number },
  period: Period,
): Promise<readonly StateTime<SliverHistoryState>[]> {
  return readTimes<SliverHistoryState>(store, period, {
    own: sql`select state, began_on, ended_on from sliver_states
      where slice_id = ${sliceId} and node_id = ${nodeId}`,
    hidden: sql`select state, began_on, ended_on
      from node_states where node_id = ${nodeId} and state in ('offline', 'crashed')`,
  })
}

interface Records {
  readonly own: RawBuilder<unknown>
  /** What hides the own states. */
  readonly hidden: RawBuilder<unknown>
}

/**
 * Add up in the database: reading ten thousand intervals, and their garbage, took most of the time of an answer that has ten numbers. The times of each state are one
 * multirange, and those are cut and subtracted in one pass each. Times are whole milliseconds, as in histories.
 */
async function readTimes<S extends string>(
  { db, run }: RegistryStore,
  { fromMs, toMs }: Period,
  { own, hidden }: Records,
): Promise<readonly StateTime<S>[]> {
  const milliseconds = (time: RawBuilder<unknown>) =>
    sql`floor(extract(epoch from ${time}) * 1000)::int8`
  const begin = milliseconds(sql`began_on`)
  // Null, in a range, is without end.
  const end = sql`case when ended_on is not null then greatest(${begin}, ${milliseconds(sql`ended_on`)}) end`
  const times = sql`range_agg(int8range(${begin}, ${end}))`
  const { rows } = await sql<{ state: S; ms: string }>`
    with period as (select int8multirange(int8range(${fromMs}, ${Math.max(fromMs, toMs)})) as whole),
      up as (select coalesce(${times}, '{}') * whole as times
        from (select began_on, case when id = ${run.id} then null else up_until end as ended_on
          from server_runs) as runs, period group by whole),
      hidden as (select state, ${times} as times from (${hidden}) as kept group by state),
      hides as (select coalesce(range_agg(times), '{}') as times from hidden),
      own as (select state, ${times} as times from (${own}) as kept group by state),
      known as (
        select state, own.times * up.times - hides.times as times from own, up, hides
        union all select state, hidden.times * up.times from hidden, up)
    select state, sum(upper(part) - lower(part))::text as ms
    from known, unnest(known.times) as part group by state order by min(lower(part)), state`.execute(
    db,
  )
  return rows.map(({ state, ms }) => ({ state, ms: Number(ms) }))
}
