import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { writeWhole } from '../../mgmt/whole-file.ts'
import { isErrno, runCommand } from '../host/command.ts'
import { SliverRecord } from './record.ts'

/** The slivers of this node as their folders tell of them; only the agent that holds the data folder changes them. */
export interface Records {
  get(id: string): SliverRecord | undefined
  all(): readonly SliverRecord[]
  folder(id: string): string
  /** Keep a record; when this returns it survives a power cut. */
  save(record: SliverRecord): Promise<SliverRecord>
  /** Remove a sliver's folder with everything in it. */
  remove(id: string): Promise<void>
}

const fileName = 'sliver.json'

/** Read the slivers' folders. What is left of one whose record was never written, or cannot be read, is removed: nothing else tells what it was. */
export async function openRecords(dir: string): Promise<Records> {
  await mkdir(dir, { recursive: true, mode: 0o711 })
  const records = new Map<string, SliverRecord>()
  for (const name of await readdir(dir)) {
    const record = await readRecord(join(dir, name, fileName))
    if (record?.id === name) records.set(name, record)
    else await removeTrees([join(dir, name)])
  }

  return {
    get: (id) => records.get(id),
    all: () => [...records.values()],
    folder: (id) => join(dir, id),
    async save(record) {
      // First in memory: the number is taken from this moment on.
      records.set(record.id, record)
      await mkdir(join(dir, record.id), { recursive: true, mode: 0o711 })
      await writeWhole(join(dir, record.id, fileName), JSON.stringify(record))
      return record
    },
    async remove(id) {
      await removeTrees([join(dir, id)])
      records.delete(id)
    },
  }
}

async function readRecord(file: string): Promise<SliverRecord | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    return Value.Check(SliverRecord, value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, 'ENOENT', 'ENOTDIR')) return null
    throw error
  }
}

/** Remove what is there of these. A sliver may have made paths longer than any that can be named; rm goes from folder to folder. */
export async function removeTrees(paths: readonly string[]): Promise<void> {
  const there = paths.filter((path) => existsSync(path))
  if (there.length === 0) return
  await runCommand(['rm', '--recursive', '--force', '--one-file-system', '--', ...there])
}
