import { sql } from 'kysely'
import type { NodeReport, RunReport, SliverReport } from '@community-lab/contract'
import { etagOf } from '../etag.ts'
import type { Db } from '../read/selection.ts'

/** A node's last report as the database has it. */
export interface StoredReport {
  readonly state: string
  /** The node's processor, as the registry has it. */
  readonly arch: string
  readonly report: Omit<NodeReport, 'slivers' | 'runs'> | null
  /** The runs that it reports; null: none are in its report. */
  readonly runs: readonly RunReport[] | null
  /** The slivers that the node is to have, with the last report of each. */
  readonly slivers: readonly {
    readonly state: string
    readonly report: SliverReport | null
  }[]
  /** Whether the one-time secret of its enrolment still exists. The node's next report deletes it. */
  readonly hasSecret: boolean
}

/** Read the stored parts of nodes' last reports. */
export async function readStoredReports(
  db: Db,
  nodeIds: readonly number[],
): Promise<ReadonlyMap<number, StoredReport>> {
  const nodes = await db
    .selectFrom('nodes')
    .leftJoin('enrollments', (join) =>
      join.onRef('node_id', '=', 'nodes.id').on('used_pubkey', 'is not', null),
    )
    .select(['nodes.id', 'nodes.state', 'nodes.arch', 'nodes.report', 'nodes.run_reports'])
    .select('enrollments.node_id as secret_of')
    .where('nodes.id', '=', sql<number>`any(${nodeIds}::int[])`)
    .execute()
  const slivers = await db
    .selectFrom('slivers')
    .select(['node_id', 'state', 'report'])
    .where('node_id', '=', sql<number>`any(${nodeIds}::int[])`)
    .execute()
  const byNode = Map.groupBy(slivers, (sliver) => sliver.node_id)
  return new Map(
    nodes.map(({ id, state, arch, report, run_reports: runs, secret_of: secretOf }) => [
      id,
      { state, arch, report, runs, slivers: byNode.get(id) ?? [], hasSecret: secretOf !== null },
    ]),
  )
}

/** Return the ETag of a report. The order of its members and slivers does not matter, because PostgreSQL does not keep it. */
export function reportEtag({ slivers, ...own }: NodeReport): string {
  const inOrder = [...slivers].sort((one, other) => (one.id < other.id ? -1 : 1))
  return etagOf(sortMembers({ ...own, slivers: inOrder }))
}

/** The ETag of the report that the database has; null when any next report changes something. */
export function storedEtag({
  state,
  arch,
  report,
  runs,
  slivers,
  hasSecret,
}: StoredReport): string | null {
  if (report === null || hasSecret || state !== report.state || arch !== report.arch) return null
  if (slivers.some((sliver) => sliver.state !== (sliver.report?.state ?? 'unknown'))) return null
  return reportEtag({
    ...report,
    ...(runs === null ? {} : { runs: [...runs] }),
    slivers: slivers.flatMap((sliver) => sliver.report ?? []),
  })
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(
    ([name, member]) => [name, sortMembers(member)] as const,
  )
  return Object.fromEntries(members.sort(([one], [other]) => (one < other ? -1 : 1)))
}
