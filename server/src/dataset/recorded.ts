import { sql } from 'kysely'
import type { NodeState } from '@community-lab/contract'
import { describeHistory, type Interval, type Period } from '../domain/history.ts'
import type { Db } from '../registry/read/selection.ts'
import type { RegistryStore } from '../registry/store.ts'

/** A table of what the server knows itself. The types of columns are DuckDB's. */
export interface Recorded {
  readonly name: 'node_states' | 'sliver_use'
  readonly columns: readonly (readonly [name: string, type: string])[]
  readonly rows: readonly (readonly (string | number | Date | null)[])[]
  /** Whether the period has more rows than these, which are {@link maxRecordedRows} then. */
  readonly isCut: boolean
}

/** The most rows of each table. Nodes that change their state all the time do not fill the server's memory. */
export const maxRecordedRows = 200_000

/** What to read: a period, and the most rows of each table. */
interface Selection extends Period {
  readonly most: number
}

/** Read the states of all nodes, and the times at which slivers ran, in a period. */
export async function readRecorded(
  { db, run }: Pick<RegistryStore, 'db' | 'run'>,
  period: Period,
  most = maxRecordedRows,
): Promise<readonly Recorded[]> {
  const selection = { ...period, most }
  return [await readStates({ db, runId: run.id }, selection), await readUse(db, selection)]
}

async function readStates(
  { db, runId }: { readonly db: Db; readonly runId: number },
  selection: Selection,
): Promise<Recorded> {
  const { fromMs, toMs, most } = selection
  const runs = await sql<{ from_ms: number; to_ms: number | null }>`
    select floor(extract(epoch from began_on) * 1000)::float8 as from_ms,
      case when id = ${runId} then null else floor(extract(epoch from up_until) * 1000)::float8 end as to_ms
    from server_runs
    where began_on < to_timestamp(${toMs / 1000})
      and (id = ${runId} or up_until > to_timestamp(${fromMs / 1000}))
    order by began_on`.execute(db)
  const states = await sql<StateRow>`
    select nodes.id as node_id, nodes.name as node, node_states.state, node_states.reason,
      floor(extract(epoch from node_states.began_on) * 1000)::float8 as from_ms,
      floor(extract(epoch from node_states.ended_on) * 1000)::float8 as to_ms
    from node_states join nodes on nodes.id = node_states.node_id
    where coalesce(node_states.ended_on, 'infinity') > to_timestamp(${fromMs / 1000})
      and (node_states.ended_on is null or node_states.ended_on > node_states.began_on)
      and node_states.began_on < to_timestamp(${toMs / 1000})
    order by nodes.id, coalesce(node_states.ended_on, 'infinity') limit ${most + 1}`.execute(db)
  const up = runs.rows.map((row) => ({ fromMs: row.from_ms, toMs: row.to_ms ?? Infinity }))
  const known = Map.groupBy(states.rows.slice(0, most), (row) => row.node_id)
  const rows = [...known].flatMap(([id, own]) =>
    describeHistory<NodeState>({ own: own.map(intervalOf), runs: up }, selection).map(
      (interval) => [
        new Date(interval.fromMs),
        own[0]?.node ?? '',
        id,
        interval.state,
        new Date(interval.toMs),
        interval.reason,
      ],
    ),
  )
  return {
    name: 'node_states',
    columns: [
      ['time', 'TIMESTAMP WITH TIME ZONE'],
      ['node', 'VARCHAR'],
      ['node_id', 'INTEGER'],
      ['state', 'VARCHAR'],
      ['to_time', 'TIMESTAMP WITH TIME ZONE'],
      ['reason', 'VARCHAR'],
    ],
    rows,
    isCut: states.rows.length > most,
  }
}

/** Slices are named by their id and name, as in the journal, which everybody may read. */
async function readUse(db: Db, { fromMs, toMs, most }: Selection): Promise<Recorded> {
  const entries = await sql<UseRow>`
    select node_name as node, node_id, slice_id, slice_name as slice, began_on, ended_on
    from journal
    where began_on < to_timestamp(${toMs / 1000})
      and coalesce(ended_on, 'infinity') > to_timestamp(${fromMs / 1000})
    order by id limit ${most + 1}`.execute(db)
  return {
    name: 'sliver_use',
    columns: [
      ['time', 'TIMESTAMP WITH TIME ZONE'],
      ['node', 'VARCHAR'],
      ['node_id', 'INTEGER'],
      ['slice_id', 'INTEGER'],
      ['slice', 'VARCHAR'],
      ['to_time', 'TIMESTAMP WITH TIME ZONE'],
    ],
    rows: entries.rows
      .slice(0, most)
      .map((row) => [
        new Date(Math.max(row.began_on.getTime(), fromMs)),
        row.node,
        row.node_id,
        row.slice_id,
        row.slice,
        new Date(Math.min(row.ended_on?.getTime() ?? Infinity, toMs)),
      ]),
    isCut: entries.rows.length > most,
  }
}

interface StateRow {
  readonly node_id: number
  readonly node: string
  readonly state: NodeState
  readonly reason: string | null
  readonly from_ms: number
  readonly to_ms: number | null
}

interface UseRow {
  readonly node: string
  readonly node_id: number
  readonly slice_id: number
  readonly slice: string
  readonly began_on: Date
  readonly ended_on: Date | null
}

function intervalOf(row: StateRow): Interval<NodeState> {
  return {
    fromMs: row.from_ms,
    toMs: row.to_ms ?? Infinity,
    state: row.state,
    reason: row.reason,
  }
}
