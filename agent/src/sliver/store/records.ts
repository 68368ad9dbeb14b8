import { existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSliverId } from '@community-lab/contract'
import { readDocument, writeDocument } from '../../disk/document.ts'
import { isHalfWritten, syncFolder } from '@community-lab/contract/host'
import { reasonOf, runCommand } from '../host/command.ts'
import { sliverRecordFormat, type SliverRecord } from './record.ts'

/** The records of this node's slivers, read from their folders. Only the agent that holds the data folder changes them. */
export interface Records {
  get(id: string): SliverRecord | undefined
  all(): readonly SliverRecord[]
  /** The folders whose records cannot be used and which are kept, by sliver id. */
  readonly unreadable: ReadonlyMap<string, UnreadableRecord>
  folder(id: string): string
  /** Save a record. When this returns, the record survives a power cut. On a full disk it throws, and the record is kept only in memory. */
  save(record: SliverRecord): Promise<SliverRecord>
  /** The slivers whose records are newer in memory than on the disk. */
  readonly unsaved: ReadonlySet<string>
  /** Save a record again if an earlier call could not write it. */
  saveAgain(id: string): Promise<void>
  /** Remove a sliver's folder and everything in it. */
  remove(id: string): Promise<void>
}

/** A sliver's folder whose record cannot be used. Nothing in it is changed. */
export interface UnreadableRecord {
  readonly reason: string
  /** The path of the file or folder that is kept. */
  readonly keptAt: string
}

const fileName = 'sliver.json'
const removedPrefix = '.removed-'

/**
 * Read the slivers' folders. A folder whose record cannot be used is kept unchanged. It prevents neither the start nor the use of the others. A folder is
 * removed only when its removal had begun, or when it is empty.
 */
export async function openRecords(dir: string): Promise<Records> {
  await mkdir(dir, { recursive: true, mode: 0o711 })
  const records = new Map<string, SliverRecord>()
  const unreadable = new Map<string, UnreadableRecord>()
  for (const name of await readdir(dir)) {
    const folder = join(dir, name)
    if (name.startsWith(removedPrefix)) {
      await removeTrees([folder]).catch((error: unknown) =>
        unreadable.set(name, { reason: reasonOf(error), keptAt: folder }),
      )
      continue
    }
    const found = await readFolder(folder, name).catch((error: unknown) => ({
      reason: reasonOf(error),
      keptAt: folder,
    }))
    if (found === null) continue
    if ('reason' in found) unreadable.set(name, found)
    else records.set(name, found)
  }
  setAsideDoubles(records, { unreadable, folderOf: (id) => join(dir, id) })
  const unsaved = new Set<string>()

  async function save(record: SliverRecord): Promise<SliverRecord> {
    // The record is stored in memory first, so that the sliver's number is taken from now on.
    records.set(record.id, record)
    unsaved.add(record.id)
    await mkdir(join(dir, record.id), { recursive: true, mode: 0o711 })
    await writeDocument(join(dir, record.id, fileName), sliverRecordFormat, record)
    unsaved.delete(record.id)
    return record
  }

  return {
    get: (id) => records.get(id),
    all: () => [...records.values()],
    unreadable,
    folder: (id) => join(dir, id),
    save,
    unsaved,
    async saveAgain(id) {
      const record = records.get(id)
      if (record !== undefined && unsaved.has(id)) await save(record)
    },
    async remove(id) {
      const removed = join(dir, `${removedPrefix}${id}`)
      await removeTrees([removed])
      if (existsSync(join(dir, id))) await rename(join(dir, id), removed)
      await syncFolder(dir)
      records.delete(id)
      unsaved.delete(id)
      await removeTrees([removed])
    },
  }
}

/** Read one folder. Returns null when it was empty and was removed. */
async function readFolder(
  folder: string,
  name: string,
): Promise<SliverRecord | UnreadableRecord | null> {
  if (parseSliverId(name) === null)
    return { reason: 'its name is not the id of a sliver', keptAt: folder }
  const found = await readDocument(join(folder, fileName), sliverRecordFormat)
  if (found.kind === 'unreadable') return found
  if (found.kind === 'read')
    return found.value.id === name
      ? found.value
      : { reason: `it is the record of ${found.value.id}`, keptAt: join(folder, fileName) }
  const content = (await readdir(folder)).filter((one) => !isHalfWritten(one))
  if (content.length > 0) return { reason: 'it has no record', keptAt: folder }
  await removeTrees([folder])
  return null
}

/** Set aside slivers with the number of another one. The running one keeps the number, or else the first. */
function setAsideDoubles(
  records: Map<string, SliverRecord>,
  to: {
    readonly unreadable: Map<string, UnreadableRecord>
    readonly folderOf: (id: string) => string
  },
): void {
  const holders = new Map<number, SliverRecord>()
  const runningFirst = [...records.values()].sort(
    (one, other) => Number(other.process !== null) - Number(one.process !== null),
  )
  for (const record of runningFirst) {
    const holder = holders.get(record.nr)
    if (holder === undefined) {
      holders.set(record.nr, record)
      continue
    }
    records.delete(record.id)
    const reason = `its number ${record.nr} is that of sliver ${holder.id} now`
    to.unreadable.set(record.id, { reason, keptAt: to.folderOf(record.id) })
  }
}

/**
 * Remove those of the paths that exist. A sliver may have made paths longer than the kernel's limit; rm can remove them because it goes from folder to folder.
 */
export async function removeTrees(paths: readonly string[]): Promise<void> {
  const there = paths.filter((path) => existsSync(path))
  if (there.length === 0) return
  await runCommand(['rm', '--recursive', '--force', '--one-file-system', '--', ...there])
}
