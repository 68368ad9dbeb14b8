import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import {
  LabError,
  maxEndedRuns,
  maxOpenRunBytes,
  maxOpenRuns,
  maxRunBytes,
  maxRunFilesBytes,
  maxUnendedRuns,
  path,
  routes,
  type PlacedProgram,
  type Run,
  type RunCreate,
  type RunPoint,
  type RunPrograms,
} from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import {
  countProgramBytes,
  findOtherMember,
  findPointConflict,
  findRunIssues,
} from '../../domain/run-check.ts'
import { currentActor } from '../actor.ts'
import type { Change } from '../change.ts'
import type { Db } from '../read/selection.ts'
import type { RegistryStore } from '../store.ts'
import { nameArchive } from './data-archives.ts'
import { lockRow } from './lock-row.ts'
import { readSlice } from './slices.ts'

/** Read one run. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readRun(store: RegistryStore, id: string, tx = store.db): Promise<Run> {
  const [run] = await store.read.runs(tx, { ids: [id] })
  return found(run, 'run', id)
}

/** Read the programs of a run. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readRunPrograms({ db }: RegistryStore, id: string): Promise<RunPrograms> {
  const row = await db.selectFrom('runs').select('programs').where('id', '=', id).executeTakeFirst()
  const { programs } = found(row, 'run', id)
  return { run: { uri: path(routes.run, { id }), id }, programs }
}

/** Make the tables of a run's points, before it starts. Returns why that cannot be; null when it is done. */
export type DeclarePoints = (sliceId: number, points: readonly RunPoint[]) => Promise<string | null>

/**
 * Start a run, or return the one that was started by the same description.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_INVALID, LAB_RUN_EXISTS, LAB_RUN_TOO_MANY, LAB_RUN_TOO_LARGE, LAB_RUN_FILES_TOO_LARGE, LAB_DATA_UNKNOWN, LAB_POINT_CONFLICT.
 */
export async function createRun(
  store: RegistryStore,
  sliceId: number,
  wanted: RunCreate,
  declare: DeclarePoints,
): Promise<{ readonly run: Run; readonly isNew: boolean }> {
  return store.change(async (change) => {
    const { tx } = change
    await lockRow(change, 'slices', { id: sliceId })
    const slice = await readSlice(store, sliceId, tx)
    const known = await findByName(tx, sliceId, wanted.name)
    if (known !== null) {
      const member = findOtherMember(wanted, known)
      if (member === null) return { run: await readRun(store, known.id, tx), isNew: false }
      throw new LabError('LAB_RUN_EXISTS', { slice: slice.name, run: wanted.name, member })
    }
    const slivers = await tx
      .selectFrom('slivers')
      .innerJoin('nodes', 'nodes.id', 'slivers.node_id')
      .select(['node_id', 'nodes.name as node_name', 'instance_sn'])
      .where('slice_id', '=', sliceId)
      // A node that is being removed ends the runs that it sees.
      .forKeyShare('nodes')
      .execute()
    const byNode = new Map(slivers.map((sliver) => [sliver.node_id, sliver]))
    const issues = findRunIssues(wanted, {
      nodeIds: new Set(byNode.keys()),
      sliceEndsOn: new Date(slice.expires_on),
    })
    if (issues.length > 0) throw new LabError('LAB_REQUEST_INVALID', { issues: [...issues] })
    await requireAgreement(tx, { sliceId, slice: slice.name, points: wanted.points ?? [] })
    const bytes = countProgramBytes(wanted.programs)
    if (bytes > maxRunBytes)
      throw new LabError('LAB_RUN_TOO_LARGE', { run: wanted.name, bytes, limitBytes: maxRunBytes })
    await nameFiles(change, slice.group.id, wanted)
    await requireRoom(tx, { sliceId, slice: slice.name, run: wanted.name, bytes })
    const refusal = await declare(sliceId, wanted.points ?? [])
    if (refusal !== null)
      throw new LabError('LAB_REQUEST_INVALID', {
        issues: [{ pointer: '/points', message: refusal }],
      })
    const owner = { groupId: slice.group.id, userId: null }
    for (const old of await removeOldest(tx, sliceId)) change.note('run', 'deleted', old, owner)
    const id = createRunId(wanted.name)
    await tx
      .insertInto('runs')
      .values({
        id,
        slice_id: sliceId,
        name: wanted.name,
        created_by: currentActor()?.userId ?? null,
        start_at:
          wanted.start_at === null || wanted.start_at === undefined
            ? null
            : new Date(wanted.start_at),
        limit_ms: wanted.limit_ms ?? null,
        programs: JSON.stringify(wanted.programs),
        points: JSON.stringify(wanted.points ?? []),
      })
      .execute()
    const parts = wanted.programs.flatMap(({ on }, program) =>
      on.flatMap((nodeId) => {
        const sliver = byNode.get(nodeId)
        return sliver === undefined ? [] : [{ ...sliver, program }]
      }),
    )
    await tx
      .insertInto('run_parts')
      .values(parts.map((part) => ({ ...part, run_id: id, slice_instance_sn: slice.instance_sn })))
      .execute()
    change.note('run', 'created', id)
    for (const { node_id: nodeId } of parts) change.target(nodeId)
    return { run: await readRun(store, id, tx), isNew: true }
  })
}

/** End a run on all its slivers. A run that has ended stays as it is. @throws {@link LabError} LAB_NOT_FOUND. */
export async function cancelRun(store: RegistryStore, id: string): Promise<Run> {
  return store.change(async (change) => {
    const row = await change.tx
      .updateTable('runs')
      .set({ cancelled_on: sql`now()` })
      .where('id', '=', id)
      .where('cancelled_on', 'is', null)
      .where('ended_on', 'is', null)
      .returning('id')
      .executeTakeFirst()
    if (row !== undefined) {
      const parts = await change.tx
        .selectFrom('run_parts')
        .select('node_id')
        .where('run_id', '=', id)
        .where('state', '!=', 'ended')
        .execute()
      change.note('run', 'updated', id)
      for (const { node_id: nodeId } of parts) change.target(nodeId)
    }
    return readRun(store, id, change.tx)
  })
}

/** Require that the group has the archives of the files of a run, which are kept from now on. @throws {@link LabError} LAB_DATA_UNKNOWN, LAB_RUN_FILES_TOO_LARGE. */
async function nameFiles(
  change: Change,
  groupId: number,
  { name, programs }: RunCreate,
): Promise<void> {
  for (const sha256 of new Set(programs.flatMap((program) => program.files_sha256 ?? []))) {
    await nameArchive(change, { groupId, sha256 })
    const { size_bytes: bytes } = await change.tx
      .selectFrom('data_archives')
      .select('size_bytes')
      .where('group_id', '=', groupId)
      .where('sha256', '=', sha256)
      .executeTakeFirstOrThrow()
    const limitBytes = maxRunFilesBytes
    if (bytes > limitBytes)
      throw new LabError('LAB_RUN_FILES_TOO_LARGE', { run: name, bytes, limitBytes })
  }
}

async function findByName(tx: Db, sliceId: number, name: string) {
  const row = await tx
    .selectFrom('runs')
    .select(['id', 'programs', 'start_at', 'limit_ms', 'points'])
    .where('slice_id', '=', sliceId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row === undefined ? null : { ...row, start_at: row.start_at?.toISOString() ?? null }
}

/**
 * Require that points do not contradict those of the slice's other runs, whose rows are in the same tables. A run that was removed does not count any more; the store then
 * keeps what does not fit in a column beside.
 *
 * @throws {@link LabError} LAB_POINT_CONFLICT.
 */
async function requireAgreement(
  tx: Db,
  {
    sliceId,
    slice,
    points,
  }: { readonly sliceId: number; readonly slice: string; readonly points: readonly RunPoint[] },
): Promise<void> {
  if (points.length === 0) return
  const others = await tx
    .selectFrom('runs')
    .select(['name', 'points'])
    .where('slice_id', '=', sliceId)
    .where(sql<boolean>`points::text <> '[]'`)
    .orderBy('created_on')
    .execute()
  const known = others.flatMap(({ name: run, points: of }) => of.map((point) => ({ run, point })))
  const conflict = findPointConflict(points, known)
  if (conflict !== null) throw new LabError('LAB_POINT_CONFLICT', { slice, ...conflict })
}

/** A run that is to be made. */
interface NewRun {
  readonly sliceId: number
  readonly slice: string
  readonly run: string
  readonly bytes: number
}

/** Require that a slice may have one more run that has not ended. @throws {@link LabError} LAB_RUN_TOO_MANY, LAB_RUN_TOO_LARGE. */
async function requireRoom(
  tx: Change['tx'],
  { sliceId, slice, run, bytes }: NewRun,
): Promise<void> {
  const unended = await tx
    .selectFrom('runs')
    .select('name')
    .select(
      sql<PlacedProgram[] | null>`case when cancelled_on is null then programs end`.as('open'),
    )
    .where('slice_id', '=', sliceId)
    .where('ended_on', 'is', null)
    .orderBy('created_on')
    .execute()
  const open = unended.filter((one) => one.open !== null)
  for (const [some, limit] of [[open, maxOpenRuns] as const, [unended, maxUnendedRuns] as const])
    if (some.length >= limit)
      throw new LabError('LAB_RUN_TOO_MANY', { slice, limit, open: some.map(({ name }) => name) })
  const openBytes = open.reduce((sum, one) => sum + countProgramBytes(one.open ?? []), 0)
  const limitBytes = maxOpenRunBytes - openBytes
  if (bytes > limitBytes) throw new LabError('LAB_RUN_TOO_LARGE', { run, bytes, limitBytes })
}

/** Remove the oldest of a slice's runs that have ended, so that there is room for another one. Returns their ids. */
async function removeOldest(tx: Change['tx'], sliceId: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`delete from runs where id in (
    select id from runs where slice_id = ${sliceId} and ended_on is not null
    order by ended_on desc offset ${maxEndedRuns - 1}) returning id`.execute(tx)
  return rows.map(({ id }) => id)
}

/** Make the id of a run: its name, the time (UTC) and twelve random hexadecimal digits. */
function createRunId(name: string): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/gu, '')
  return `${name}-${time}-${randomBytes(6).toString('hex')}`
}
