import { sql } from 'kysely'
import { LabError, path, routes, type DataArchive, type DataInput } from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import type { Change } from '../change.ts'
import { dataUri, type ArchiveOfGroup } from '../read/data-uri.ts'
import type { Db } from '../read/selection.ts'
import type { RegistryStore } from '../store.ts'
import { lockGroup } from './group-rules.ts'

/** How many data archives a group may have. */
const maxArchives = 200
/** How much they may take on the server's disk, in bytes. */
const maxGroupDataBytes = 4 * 1024 ** 3
const mib = 1024 ** 2
/** An archive that no slice, sliver or run names is kept for so long, in minutes, because its sender names it only after the upload. */
const keptUnnamedMinutes = 60
/** An archive that was not named for so long is removed when a new one of its group needs the room, in minutes. */
const safeMinutes = 10

/** An SQL condition of an archive: a slice, a sliver or a run that has not ended, of its group, names it. */
const isNamed = sql<boolean>`(
  exists (select from slices where slices.group_id = data_archives.group_id
    and slices.default_data_sha256 = data_archives.sha256)
  or exists (select from slivers join slices on slices.id = slivers.slice_id
    where slices.group_id = data_archives.group_id and slivers.data_sha256 = data_archives.sha256)
  or exists (select from runs join slices on slices.id = runs.slice_id
    where slices.group_id = data_archives.group_id and runs.ended_on is null
    and runs.programs @> jsonb_build_array(jsonb_build_object('files_sha256', data_archives.sha256))))`

/** Add an archive to those of a group, or note that it was uploaded again. @throws {@link LabError} LAB_DATA_QUOTA, LAB_NOT_FOUND. */
export async function addArchive(
  store: RegistryStore,
  { groupId, sha256, sizeBytes }: ArchiveOfGroup & { readonly sizeBytes: number },
): Promise<DataArchive> {
  return store.change(async (change) => {
    const { name: group } = await lockGroup(change, groupId)
    await makeRoom(change.tx, { groupId, group, sha256, sizeBytes })
    await change.tx
      .insertInto('data_archives')
      .values({ group_id: groupId, sha256, size_bytes: sizeBytes })
      .onConflict((conflict) =>
        conflict.columns(['group_id', 'sha256']).doUpdateSet({ named_on: sql`now()` }),
      )
      .execute()
    change.trace('group', 'updated', groupId, group)
    return {
      uri: dataUri({ groupId, sha256 }),
      sha256,
      size_bytes: sizeBytes,
      group: { uri: path(routes.group, { id: groupId }), id: groupId },
    }
  })
}

/** An archive that is to be added. */
export interface NewArchive extends ArchiveOfGroup {
  readonly group: string
  readonly sizeBytes: number
}

/** Require that an archive fits beside the others of its group. Those that nobody names give way, the oldest first. @throws {@link LabError} LAB_DATA_QUOTA. */
export async function makeRoom(
  db: Db,
  { groupId, group, sha256, sizeBytes }: NewArchive,
): Promise<void> {
  const others = await db
    .selectFrom('data_archives')
    .select(['sha256', 'size_bytes'])
    .select(isNamed.as('named'))
    .select(sql<boolean>`named_on > now() - make_interval(mins => ${safeMinutes})`.as('is_new'))
    .where('group_id', '=', groupId)
    .where('sha256', '!=', sha256)
    .orderBy('named_on')
    .execute()
  let count = others.length
  let bytes = others.reduce((sum, each) => sum + each.size_bytes, 0)
  const fits = (): boolean => count < maxArchives && bytes + sizeBytes <= maxGroupDataBytes
  for (const each of others.filter(({ named, is_new: isNew }) => !named && !isNew)) {
    if (fits()) break
    count -= await removeUnnamed(db, safeMinutes, { groupId, sha256: each.sha256 })
    bytes -= each.size_bytes
  }
  if (fits()) return
  const isCount = count >= maxArchives
  throw new LabError('LAB_DATA_QUOTA', {
    group,
    what: isCount ? 'data archives' : 'MiB of data archives',
    limit: isCount ? maxArchives : maxGroupDataBytes / mib,
    used: isCount ? count : Math.ceil(bytes / mib),
  })
}

/**
 * Return the SHA-256 that a change of data names, null for none, or undefined when the change does not concern data. The archive is kept from now on.
 *
 * @throws {@link LabError} LAB_DATA_FOREIGN, LAB_DATA_UNKNOWN, LAB_REQUEST_INVALID when both members are there and differ.
 */
export async function readDataInput(
  change: Change,
  groupId: number,
  { data_uri: uri, data_sha256: given }: DataInput,
): Promise<string | null | undefined> {
  if (uri === undefined && given === undefined) return undefined
  const sha256 = given === undefined || given === '' ? null : given
  if (uri === undefined || uri === null || uri === '') {
    // Without a URI, the SHA-256 alone names an archive; an URI of null takes it away.
    if (uri !== undefined || sha256 === null) return null
    return nameArchive(change, { groupId, sha256 })
  }
  const [, ofGroup, ofUri] = /\/api\/groups\/(\d+)\/data\/([0-9a-f]{64})$/u.exec(uri) ?? []
  if (ofUri === undefined || Number(ofGroup) !== groupId) {
    const { name: group } = await lockGroup(change, groupId)
    throw new LabError('LAB_DATA_FOREIGN', { uri: uri.slice(0, 200), group })
  }
  if (sha256 !== null && sha256 !== ofUri) {
    const message = 'must be the SHA-256 in data_uri'
    throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '/data_sha256', message }] })
  }
  return nameArchive(change, { groupId, sha256: ofUri })
}

/** Require that a group has an archive, which is kept from now on. Returns its SHA-256. @throws {@link LabError} LAB_DATA_UNKNOWN. */
export async function nameArchive(change: Change, archive: ArchiveOfGroup): Promise<string> {
  const { groupId, sha256 } = archive
  // A removal that is under way sees the new time, and leaves it.
  const named = await change.tx
    .updateTable('data_archives')
    .set({ named_on: sql`now()` })
    .where('group_id', '=', groupId)
    .where('sha256', '=', sha256)
    .returning('sha256')
    .executeTakeFirst()
  if (named !== undefined) return sha256
  const row = await change.tx
    .selectFrom('groups')
    .select('name')
    .where('id', '=', groupId)
    .executeTakeFirst()
  const { name: group } = found(row, 'group', groupId)
  throw new LabError('LAB_DATA_UNKNOWN', {
    sha256,
    group,
    uri: dataUri(archive),
    uploads_uri: path(routes.groupDataUploads, { id: groupId }),
  })
}

/** Tell whether a group has an archive. */
export async function hasArchive(db: Db, { groupId, sha256 }: ArchiveOfGroup): Promise<boolean> {
  const row = await db
    .selectFrom('data_archives')
    .select('sha256')
    .where('group_id', '=', groupId)
    .where('sha256', '=', sha256)
    .executeTakeFirst()
  return row !== undefined
}

/** Tell whether a node has a sliver with an archive, or a run that has not ended with one. */
export async function usesArchive(
  db: Db,
  nodeId: number,
  { groupId, sha256 }: ArchiveOfGroup,
): Promise<boolean> {
  const row = await db
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .select('slice_id')
    .where('node_id', '=', nodeId)
    .where('group_id', '=', groupId)
    .where(sql`coalesce(slivers.data_sha256, slices.default_data_sha256)`, '=', sha256)
    .limit(1)
    .executeTakeFirst()
  if (row !== undefined) return true
  const run = await db
    .selectFrom('run_parts')
    .innerJoin('runs', 'runs.id', 'run_parts.run_id')
    .innerJoin('slices', 'slices.id', 'runs.slice_id')
    .select('run_id')
    .where('node_id', '=', nodeId)
    .where('state', '!=', 'ended')
    .where('group_id', '=', groupId)
    .where(sql`runs.programs -> run_parts.program ->> 'files_sha256'`, '=', sha256)
    .limit(1)
    .executeTakeFirst()
  return run !== undefined
}

/** Remove the archives that nobody has named for a while. */
export async function removeUnnamedArchives(db: Db): Promise<void> {
  await sql`update data_archives set named_on = now()
    where named_on < now() - make_interval(mins => ${keptUnnamedMinutes / 2}) and ${isNamed}`.execute(
    db,
  )
  await removeUnnamed(db, keptUnnamedMinutes)
}

/** Read the SHA-256 of all archives. */
export async function readArchives(db: Db): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('data_archives').select('sha256').distinct().execute()
  return new Set(rows.map((row) => row.sha256))
}

/** Remove archives, or one, that nobody has named for so many minutes. Returns how many. */
async function removeUnnamed(db: Db, minutes: number, one?: ArchiveOfGroup): Promise<number> {
  let removal = db
    .deleteFrom('data_archives')
    .where(sql<boolean>`named_on < now() - make_interval(mins => ${minutes})`)
    .where(sql<boolean>`not ${isNamed}`)
  if (one !== undefined)
    removal = removal.where('group_id', '=', one.groupId).where('sha256', '=', one.sha256)
  return Number((await removal.executeTakeFirst()).numDeletedRows)
}
