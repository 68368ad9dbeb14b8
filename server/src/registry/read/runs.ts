import { path, routes, sliverId, type Run, type RunPart } from '@community-lab/contract'
import { sql } from 'kysely'
import type { PartOutcome } from '../../postgres/run-tables.ts'
import { selectPart, type Db, type Part } from './selection.ts'

/** The runs to read. */
export interface RunSelection extends Part {
  readonly ids?: readonly string[]
}

/** What is known of a run on a sliver that its node has not reported yet. */
const nothingKnown: PartOutcome = {
  started_on: null,
  ended_on: null,
  exit_code: null,
  signal: null,
  reason: null,
  message: null,
  output_bytes: 0,
  lost_bytes: 0,
  has_end_row: false,
}

/** Read runs, the newest first, with what is known of them on each sliver. */
export async function readRuns(db: Db, { ids, ...part }: RunSelection = {}): Promise<Run[]> {
  let query = db
    .selectFrom('runs')
    .innerJoin('slices', 'slices.id', 'runs.slice_id')
    .select(['runs.id', 'runs.name', 'slice_id', 'group_id', 'created_by', 'created_on'])
    .select(['start_at', 'limit_ms', 'cancelled_on', 'ended_on', 'points'])
    .orderBy('created_on', 'desc')
    .orderBy('runs.id', 'desc')
  if (ids !== undefined) query = query.where('runs.id', '=', sql<string>`any(${ids}::text[])`)
  const runs = await selectPart(query, part).execute()
  if (runs.length === 0) return []
  const rows = await db
    .selectFrom('run_parts')
    .selectAll()
    .where('run_id', '=', sql<string>`any(${runs.map(({ id }) => id)}::text[])`)
    .orderBy('node_id')
    .execute()
  const parts = Map.groupBy(rows, (row) => row.run_id)
  return runs.map((run) => ({
    uri: path(routes.run, { id: run.id }),
    id: run.id,
    name: run.name,
    slice: { uri: path(routes.slice, { id: run.slice_id }), id: run.slice_id },
    group: { uri: path(routes.group, { id: run.group_id }), id: run.group_id },
    created_by:
      run.created_by === null
        ? null
        : { uri: path(routes.user, { id: run.created_by }), id: run.created_by },
    created_on: run.created_on.toISOString(),
    start_at: run.start_at?.toISOString() ?? null,
    limit_ms: run.limit_ms,
    cancelled_on: run.cancelled_on?.toISOString() ?? null,
    ended_on: run.ended_on?.toISOString() ?? null,
    points: run.points,
    parts: (parts.get(run.id) ?? []).map((row): RunPart => {
      const id = sliverId(run.slice_id, row.node_id)
      return {
        sliver: { uri: path(routes.sliver, { id }), id },
        node: {
          uri: path(routes.node, { id: row.node_id }),
          id: row.node_id,
          name: row.node_name,
        },
        program: row.program,
        ...nothingKnown,
        ...row.outcome,
        state: row.state,
      }
    }),
  }))
}
