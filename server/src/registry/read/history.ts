import { sql } from 'kysely'
import type { NodeState, SliverHistoryState } from '@community-lab/contract'
import { describeHistory, type Interval, type Period } from '../../domain/history.ts'
import type { RegistryStore } from '../store.ts'
import type { Db } from './selection.ts'

/** A period of which at most `limit` intervals are read. */
export interface LimitedPeriod extends Period {
  readonly limit: number
}

/** The states in a part of a period. */
export interface HistoryPart<S extends string> {
  readonly intervals: readonly Interval<S>[]
  /** Where the rest begins, in milliseconds since the epoch; null: this is all. */
  readonly nextMs: number | null
}

/** The fewest rows of each kind that are read at once. */
const minBatchSize = 100

/**
 * Read the first states of a node in a period, at most `limit`. The period ends now at the latest.
 *
 * Every part that is read is complete, so the parts of a period, one after the other, are its whole history.
 */
export async function readNodeHistory(
  store: RegistryStore,
  nodeId: number,
  period: LimitedPeriod,
): Promise<HistoryPart<NodeState | 'nodata'>> {
  const own = await readBatch<NodeState>(store.db, {
    rows: sql`select state, reason, began_on, ended_on from node_states where node_id = ${nodeId}`,
    period,
  })
  return partOf({ own, runs: await readRuns(store, period) }, period)
}

/** Read the first states of a sliver in a period, as {@link readNodeHistory}. */
export async function readSliverHistory(
  store: RegistryStore,
  { sliceId, nodeId }: { readonly sliceId: number; readonly nodeId: number },
  period: LimitedPeriod,
): Promise<HistoryPart<SliverHistoryState>> {
  const own = await readBatch<SliverHistoryState>(store.db, {
    rows: sql`select state, reason, began_on, ended_on from sliver_states
      where slice_id = ${sliceId} and node_id = ${nodeId}`,
    period,
  })
  const hidden = await readBatch<SliverHistoryState>(store.db, {
    rows: sql`select state, 'of its node: ' || reason as reason, began_on, ended_on
      from node_states where node_id = ${nodeId} and state in ('offline', 'crashed')`,
    period,
  })
  return partOf({ own, hidden, runs: await readRuns(store, period) }, period)
}

interface Batch<S extends string> {
  readonly intervals: readonly Interval<S>[]
  /** Up to here everything was read, in milliseconds since the epoch. */
  readonly completeToMs: number
}

/** State, reason, begin and end, null when it has not ended, in milliseconds since the epoch. */
type Row<S extends string> = readonly [S, string | null, number, number | null]

async function readBatch<S extends string>(
  db: Db,
  {
    rows,
    period: { fromMs, toMs, limit },
  }: { readonly rows: ReturnType<typeof sql>; readonly period: LimitedPeriod },
): Promise<Batch<S>> {
  const size = Math.max(limit, minBatchSize)
  // All in one document: to read it takes a tenth of the time that as many rows take. The intervals of an object follow each other, so those that begin first end first.
  const answer = await sql<{ readonly rows: readonly Row<S>[] }>`
    select coalesce(json_agg(json_build_array(state, reason,
      floor(extract(epoch from began_on) * 1000), floor(extract(epoch from ended_on) * 1000))), '[]') as rows
    from (
      select * from (${rows}) as kept
      where coalesce(ended_on, 'infinity') > to_timestamp(${fromMs / 1000})
        and (ended_on is null or ended_on > began_on)
        and began_on < to_timestamp(${toMs / 1000})
      order by coalesce(ended_on, 'infinity') limit ${size + 1}) as part`.execute(db)
  const found = answer.rows[0]?.rows ?? []
  const intervals = found.slice(0, size).map(([state, reason, beganMs, endedMs]) => ({
    fromMs: beganMs,
    toMs: endedMs ?? Infinity,
    state,
    reason,
  }))
  return { intervals, completeToMs: found[size]?.[2] ?? Infinity }
}

/** Read when a server was running. This one still is. */
function readRuns(
  { db, run }: Pick<RegistryStore, 'db' | 'run'>,
  period: LimitedPeriod,
): Promise<Batch<'up'>> {
  return readBatch<'up'>(db, {
    rows: sql`select 'up' as state, null as reason, began_on,
      case when id = ${run.id} then null else up_until end as ended_on from server_runs`,
    period,
  })
}

/** Describe the part of the period of which all records were read. */
function partOf<S extends string>(
  { own, hidden, runs }: RecordBatches<S>,
  { limit, ...period }: LimitedPeriod,
): HistoryPart<S | 'nodata'> {
  const batches = [own, runs, ...(hidden === undefined ? [] : [hidden])]
  const toMs = Math.min(period.toMs, ...batches.map(({ completeToMs }) => completeToMs))
  const records = {
    own: own.intervals,
    runs: runs.intervals,
    ...(hidden === undefined ? {} : { hidden: hidden.intervals }),
  }
  const all = describeHistory<S>(records, { fromMs: period.fromMs, toMs })
  const intervals = all.slice(0, limit)
  const endMs = intervals.at(-1)?.toMs ?? toMs
  return { intervals, nextMs: endMs < period.toMs ? endMs : null }
}

interface RecordBatches<S extends string> {
  readonly own: Batch<S>
  readonly hidden?: Batch<S>
  readonly runs: Batch<'up'>
}
