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

/** A run whose parts are to be read by themselves. */
export type RunWithoutParts = Omit<Run, 'parts'>

/** The most parts of a run in an event, while it goes on: each change of a part makes an event of the whole run, for every reader. */
const maxEventParts = 50

/** Read runs, the newest first, with what is known of them on each sliver. */
export async function readRuns(db: Db, selection: RunSelection = {}): Promise<Run[]> {
  const runs = await selectRuns(db, selection)
  const parts = await readParts(db, runs)
  return runs.map((run) => ({ ...run, parts: [...(parts.get(run.id) ?? [])] }))
}

/** Read runs as events show them: one of many parts that has not ended is without them. */
export async function readEventRuns(
  db: Db,
  ids: readonly string[],
): Promise<(Run | RunWithoutParts)[]> {
  const runs = await selectRuns(db, { ids })
  const large = await db
    .selectFrom('run_parts')
    .select('run_id')
    .where('run_id', '=', sql<string>`any(${ids}::text[])`)
    .groupBy('run_id')
    .having((eb) => eb(eb.fn.countAll(), '>', maxEventParts))
    .execute()
  const cut = new Set(large.map(({ run_id: id }) => id))
  const isWhole = (run: RunWithoutParts): boolean => run.ended_on !== null || !cut.has(run.id)
  const parts = await readParts(db, runs.filter(isWhole))
  return runs.map((run) => (isWhole(run) ? { ...run, parts: [...(parts.get(run.id) ?? [])] } : run))
}

async function selectRuns(
  db: Db,
  { ids, ...part }: RunSelection,
): Promise<readonly RunWithoutParts[]> {
  let query = db
    .selectFrom('runs')
    .innerJoin('slices', 'slices.id', 'runs.slice_id')
    .select(['runs.id', 'runs.name', 'slice_id', 'group_id', 'created_by', 'created_on'])
    .select(['start_at', 'limit_ms', 'cancelled_on', 'ended_on', 'points'])
    .orderBy('created_on', 'desc')
    .orderBy('runs.id', 'desc')
  if (ids !== undefined) query = query.where('runs.id', '=', sql<string>`any(${ids}::text[])`)
  const runs = await selectPart(query, part).execute()
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
  }))
}

async function readParts(
  db: Db,
  runs: readonly RunWithoutParts[],
): Promise<ReadonlyMap<string, readonly RunPart[]>> {
  if (runs.length === 0) return new Map()
  const sliceIds = new Map(runs.map(({ id, slice }) => [id, slice.id]))
  const rows = await db
    .selectFrom('run_parts')
    .selectAll()
    .where('run_id', '=', sql<string>`any(${[...sliceIds.keys()]}::text[])`)
    .orderBy('node_id')
    .execute()
  const parts = new Map<string, RunPart[]>(runs.map(({ id }) => [id, []]))
  for (const row of rows) {
    const id = sliverId(sliceIds.get(row.run_id) ?? 0, row.node_id)
    parts.get(row.run_id)?.push({
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
    })
  }
  return parts
}
