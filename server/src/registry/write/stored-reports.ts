import { sql } from 'kysely'
import { isDeepStrictEqual } from 'node:util'
import { sliverId, type NodeReport, type SliverReport } from '@community-lab/contract'
import type { Db } from '../read/selection.ts'

/** What the database has of a node's last report. */
export interface StoredReport {
  readonly state: string
  readonly report: Omit<NodeReport, 'slivers'> | null
  /** By the ids of the slivers that the node has or is to have. */
  readonly slivers: ReadonlyMap<string, { state: string; report: SliverReport | null }>
  /** Whether the one-time secret of its enrolment is still there. */
  readonly hasSecret: boolean
}

/** Read what the database has of nodes' last reports. */
export async function readStoredReports(
  db: Db,
  nodeIds: readonly number[],
): Promise<ReadonlyMap<number, StoredReport>> {
  const isAsked = sql`any(${nodeIds}::int[])`
  const { rows: nodes } = await sql<{
    id: number
    state: string
    report: StoredReport['report']
    secret: boolean
  }>`select id, state, report, exists (
      select from enrollments where node_id = nodes.id and used_pubkey is not null) as secret
    from nodes where id = ${isAsked}`.execute(db)
  const slivers = await db
    .selectFrom('slivers')
    .select(['slice_id', 'node_id', 'state', 'report'])
    .where('node_id', '=', sql<number>`${isAsked}`)
    .execute()
  const byNode = Map.groupBy(slivers, (sliver) => sliver.node_id)
  return new Map(
    nodes.map(({ id, state, report, secret }) => {
      const own = (byNode.get(id) ?? []).map(
        (sliver) => [sliverId(sliver.slice_id, id), sliver] as const,
      )
      return [id, { state, report, slivers: new Map(own), hasSecret: secret }]
    }),
  )
}

/** Tell whether a report says nothing that the database does not have. */
export function isStored(stored: StoredReport, report: NodeReport): boolean {
  const { slivers, ...own } = report
  if (stored.hasSecret || stored.state !== own.state) return false
  if (!isDeepStrictEqual(stored.report, own)) return false
  const told = new Map(slivers.map((sliver) => [sliver.id, sliver]))
  return [...stored.slivers].every(([id, sliver]) => {
    const of = told.get(id) ?? null
    return sliver.state === (of?.state ?? 'unknown') && isDeepStrictEqual(sliver.report, of)
  })
}
