import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import {
  faultyImage,
  sliverId,
  type MemberError,
  type NodeReport,
  type NodeReportedState,
  type NodeState,
  type SliverState,
} from '@community-lab/contract'
import { readProbe } from '../../domain/probe.ts'
import {
  noteOutcomes,
  noteProbe,
  wantsProbe,
  type Outcome,
  type Readiness,
} from '../../domain/readiness.ts'
import type { Change } from '../change.ts'
import type { RegistryStore } from '../store.ts'
import { noteImage } from './broken-images.ts'
import { lockNode } from './nodes.ts'
import { applyRuns } from './run-parts.ts'

/** What a node reports. */
export interface Reported {
  readonly report: NodeReport
  /** The node's last contact before it was away. What ended while it was away ended then. null: it was not away since its last report. */
  readonly unheardSince: Date | null
}

/**
 * Store a node's report: its state and that of its slivers. Only what has changed makes an event. Another processor than before counts once two reports in a row have it: after the
 * first, the node is asked to report again.
 *
 * A sliver that the report lacks is `unknown`. A sliver that the report has and the database does not is the node's probe, or being removed by the node.
 */
export async function applyReport(
  store: RegistryStore,
  nodeId: number,
  { report, unheardSince }: Reported,
): Promise<'settled' | 'asked again'> {
  return store.change(async (change) => {
    const node = await lockNode(store, change, nodeId)
    const { slivers, runs, ...own } = report
    const row = await change.tx
      .selectFrom('nodes')
      .select(['report', 'readiness', 'arch'])
      .where('id', '=', nodeId)
      .executeTakeFirstOrThrow()
    const changed = node.state !== own.state || !isDeepStrictEqual(row.report, own)
    // With another processor, the node would make its slivers from scratch. One wrong report must not cost them.
    const isSure = row.report === null || row.report.arch === own.arch
    const arch = isSure ? own.arch : row.arch
    await change.tx
      .updateTable('nodes')
      .set({
        last_seen_on: new Date(),
        arch,
        ...(changed ? { state: own.state, report: JSON.stringify(own) } : {}),
        run_reports: runs === undefined ? null : JSON.stringify(runs),
        ...(node.state === own.state
          ? {}
          : { state_changed_on: new Date(), state_reason: describeErrors(own.errors) }),
      })
      .where('id', '=', nodeId)
      .execute()
    if (changed || row.arch !== arch) change.note('node', 'updated', nodeId)
    // A node whose data folder was moved to another device learns that the registry knows it now.
    if (row.arch !== arch) change.target(nodeId)
    // The node has the answer to its enrolment, so its one-time secret is invalid from now on.
    await change.tx
      .deleteFrom('enrollments')
      .where('node_id', '=', nodeId)
      .where('used_pubkey', 'is not', null)
      .execute()
    const outcomes = await applySlivers(change, nodeId, { slivers, unheardSince })
    await applyRuns(change, nodeId, runs ?? [])
    const now = new Date()
    const next = noteProbe(
      noteOutcomes(row.readiness, outcomes, now),
      readProbe({ slivers }, nodeId),
      now,
    )
    await noteReadiness(change, nodeId, { before: row.readiness, next })
    return arch === own.arch ? 'settled' : 'asked again'
  })
}

async function applySlivers(
  change: Change,
  nodeId: number,
  { slivers: reports, unheardSince }: Pick<NodeReport, 'slivers'> & Pick<Reported, 'unheardSince'>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const known = await change.tx
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .leftJoin('template_versions', (join) =>
      join
        .onRef('template_versions.template_id', '=', 'slices.default_template_id')
        .onRef('template_versions.version', '=', 'slices.default_template_version'),
    )
    .select([
      'slice_id',
      'slices.name as slice',
      'slices.group_id',
      'template_versions.is_public',
      'slices.default_template_id',
      'slices.default_template_version',
      'slivers.instance_sn',
      // Bad data is the fault of its group, as a bad template of its own is.
      sql<boolean>`coalesce(slivers.data_sha256, slices.default_data_sha256) is not null`.as(
        'has_data',
      ),
      'state',
      'report',
    ])
    .where('node_id', '=', nodeId)
    .orderBy('slice_id')
    .execute()
  const byId = new Map(reports.map((report) => [report.id, report]))
  for (const { slice_id: sliceId, state: before, report: last, ...of } of known) {
    const id = sliverId(sliceId, nodeId)
    const report = byId.get(id) ?? null
    const state: SliverState = report?.state ?? 'unknown'
    if (state === before && isDeepStrictEqual(last, report)) continue
    const lives = state === 'started' && report?.started_on === last?.started_on
    if (before === 'started' && !lives && unheardSince !== null)
      await endLife(change, { sliceId, nodeId, endedOn: unheardSince })
    await change.tx
      .updateTable('slivers')
      .set({
        state,
        report: report === null ? null : JSON.stringify(report),
        ...(state === before
          ? {}
          : { state_changed_on: new Date(), state_reason: describeErrors(report?.errors) }),
      })
      .where('slice_id', '=', sliceId)
      .where('node_id', '=', nodeId)
      .execute()
    change.note('sliver', 'updated', id)
    // What is of before an update may be of another version.
    if (report?.instance_sn === of.instance_sn)
      await noteImage(change, {
        nodeId,
        templateId: of.default_template_id,
        version: of.default_template_version,
        report,
      })
    // A broken image fails on every node, and would take all of them from everybody.
    if (report?.errors.some(({ member }) => member === faultyImage) === true) continue
    const message = (describeErrors(report?.errors) ?? 'it says no more').slice(0, mostReason)
    const { slice, group_id, is_public: isPublic, has_data: hasData } = of
    outcomes.push({
      slice_id: sliceId,
      slice,
      group_id,
      is_public: isPublic === true && !hasData,
      state,
      before,
      message,
    })
  }
  return outcomes
}

/** The life of a sliver. */
interface Life {
  readonly sliceId: number
  readonly nodeId: number
  readonly endedOn: Date
}

/** End the journal's entry of a sliver in the past. The database's trigger would end it now. */
async function endLife(change: Change, { sliceId, nodeId, endedOn }: Life): Promise<void> {
  await sql`update journal set ended_on = greatest(began_on, ${endedOn}::timestamptz)
    where slice_id = ${sliceId} and node_id = ${nodeId} and ended_on is null`.execute(change.tx)
}

/** The most characters of one failure that the reason of a node that is not ready quotes. */
const mostReason = 300

/** Store whether a node counts as ready. */
async function noteReadiness(
  change: Change,
  nodeId: number,
  { before, next }: { readonly before: Readiness; readonly next: Readiness },
): Promise<void> {
  if (isDeepStrictEqual(next, before)) return
  await change.tx
    .updateTable('nodes')
    .set({ readiness: JSON.stringify(next) })
    .where('id', '=', nodeId)
    .execute()
  if (next.since !== null || before.since !== null) change.note('node', 'updated', nodeId)
  if (wantsProbe(next) !== wantsProbe(before)) change.target(nodeId)
}

/**
 * Store when nodes last made contact, in milliseconds since the epoch. Returns what was stored. Nodes that other transactions are changing are left out, so
 * that no transaction waits for another.
 */
export async function writeContacts(
  { db }: RegistryStore,
  seenMs: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, number>> {
  const { rows } = await sql<{ id: number; ms: number }>`
    with free as (
      select id from nodes where id = any(${[...seenMs.keys()]}::int[]) for no key update skip locked)
    update nodes set last_seen_on = greatest(last_seen_on, to_timestamp(seen.ms / 1000))
    from free join unnest(${[...seenMs.keys()]}::int[], ${[...seenMs.values()]}::float8[]) as seen (id, ms)
      using (id)
    where nodes.id = free.id
    returning nodes.id, seen.ms`.execute(db)
  return new Map(rows.map(({ id, ms }) => [id, ms]))
}

/** A state that only the server knows. */
export interface KnownState {
  /** Return the state of the node by its last report; `reported` is null when there is none. */
  next(node: { readonly reported: NodeReportedState | null }): NodeState
  /** Why it is in this state; null: the errors in its last report tell. */
  readonly reason: string | null
  /** The time from which on it is in this state; default: now. */
  readonly since?: Date
  /** The time of its last contact, if it is to be stored. */
  readonly lastSeen: Date | null
  /** The time from which on nothing has been heard of it, if it is to be stored. */
  readonly unheardSince: Date | null
}

/** Set a state that only the server knows: the node is offline, has crashed, or is back. */
export async function setNodeState(
  store: RegistryStore,
  nodeId: number,
  { next, reason, since = new Date(), lastSeen, unheardSince }: KnownState,
): Promise<void> {
  await store.change(async (change) => {
    const row = await change.tx
      .selectFrom('nodes')
      .select(['state', 'report'])
      .where('id', '=', nodeId)
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (row === undefined) return
    const state = next({ reported: row.report?.state ?? null })
    if (state === row.state) return
    await change.tx
      .updateTable('nodes')
      .set({
        state,
        state_reason: reason ?? describeErrors(row.report?.errors),
        state_changed_on: since,
        ...(lastSeen ? { last_seen_on: lastSeen } : {}),
        ...(unheardSince ? { unheard_since: unheardSince } : {}),
      })
      .where('id', '=', nodeId)
      .execute()
    change.note('node', 'updated', nodeId)
  })
}

/** The longest reason of a state, in characters. */
const longestReason = 500

/** Return the errors of a report as the reason of the state in it; null when there are none. */
function describeErrors(errors: readonly MemberError[] = []): string | null {
  const text = errors.map(({ member, message }) =>
    member === '' ? message : `${member}: ${message}`,
  )
  return text.length === 0 ? null : text.join('; ').slice(0, longestReason).toWellFormed()
}
