import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import { parseSliverId, type RunReason, type RunReport } from '@community-lab/contract'
import type { Change } from '../change.ts'

/**
 * Store what a node reports of runs. Only what has changed is stored. An ended part stays as it is, because a node whose data folder was restored may tell of
 * the time before.
 */
export async function applyRuns(
  change: Change,
  nodeId: number,
  reports: readonly RunReport[],
): Promise<void> {
  const own = reports.filter(({ sliver }) => parseSliverId(sliver)?.nodeId === nodeId)
  if (own.length === 0) return
  const known = await change.tx
    .selectFrom('run_parts')
    .innerJoin('runs', 'runs.id', 'run_parts.run_id')
    .select(['run_id', 'slice_id', 'state', 'outcome'])
    .where('node_id', '=', nodeId)
    .where('state', '!=', 'ended')
    .orderBy('run_id')
    .execute()
  const byId = new Map(own.map((report) => [report.id, report]))
  const ended: string[] = []
  for (const { run_id: id, slice_id: sliceId, state: before, outcome: last } of known) {
    const report = byId.get(id)
    if (report === undefined || parseSliverId(report.sliver)?.sliceId !== sliceId) continue
    const { id: _id, sliver: _sliver, state, ...outcome } = report
    if (state === before && isDeepStrictEqual(outcome, last)) continue
    // Its sliver may have been removed since it was read, and with that it has ended.
    const { numUpdatedRows: count } = await change.tx
      .updateTable('run_parts')
      .set({ state, outcome: JSON.stringify(outcome) })
      .where('run_id', '=', id)
      .where('node_id', '=', nodeId)
      .where('state', '!=', 'ended')
      .executeTakeFirstOrThrow()
    if (count === 0n) continue
    change.note('run', 'updated', id)
    if (state === 'ended') ended.push(id)
  }
  if (ended.length === 0) return
  change.target(nodeId)
  await noteEnds(change, ended)
}

/** End the runs of slivers that are removed. */
export async function endPartsOf(
  change: Change,
  { sliceId, nodeIds }: { readonly sliceId: number; readonly nodeIds: readonly number[] },
): Promise<void> {
  const reason: RunReason = 'removed'
  const { rows } = await sql<{ run_id: string }>`
    update run_parts set state = 'ended', outcome = outcome || jsonb_build_object('reason', ${reason}::text)
    from runs
    where runs.id = run_parts.run_id and runs.slice_id = ${sliceId}
      and node_id = any(${nodeIds}::int[]) and state <> 'ended'
    returning run_id`.execute(change.tx)
  const ids = [...new Set(rows.map(({ run_id: id }) => id))]
  if (ids.length === 0) return
  for (const id of ids) change.note('run', 'updated', id)
  await noteEnds(change, ids)
}

/**
 * Note the end of those runs of which all parts have ended. They are locked first: of two nodes that report the last two ends at the same moment, the one that comes
 * second sees what the first has stored. Without that, neither would note the end.
 */
async function noteEnds({ tx }: Change, ids: readonly string[]): Promise<void> {
  await tx
    .selectFrom('runs')
    .select('id')
    .where('id', 'in', ids)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  await sql`update runs set ended_on = now()
    where id = any(${ids}::text[]) and ended_on is null
      and not exists (select from run_parts where run_id = runs.id and state <> 'ended')`.execute(
    tx,
  )
}
