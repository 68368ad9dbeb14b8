import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { measurementKey, quoteText } from '../domain/name.ts'
import type { SealedFile } from '../domain/sealing.ts'
import type { MeasurementId } from './protocol.ts'

/** Return the folder of sealed files. */
export function sealedDir(dir: string): string {
  return join(dir, 'parquet')
}

/** The end of the name of a damaged file, after that of the file. */
export const damagedEnd = '.damaged'

/** Rows of a measurement that were removed because its scope keeps no more. */
export interface Removed {
  rows: number
  /** The latest time of a removed row, in microseconds since the epoch. */
  untilUs: number
}

/**
 * The manifest of sealed files in memory. What is stored is the table `main.sealed_files`, which is changed in the same transaction as the rows of the
 * database, so each row is in exactly one of both.
 */
export interface SealedFiles {
  /** The files of a measurement, those that cannot be read included. */
  of(id: MeasurementId): readonly SealedFile[]
  all(): readonly SealedFile[]
  /** The greatest row number that is or is being sealed of a measurement; 0: none. */
  lastLanded(id: MeasurementId): number
  /** Say before a commit which files it adds: a reader may see them before {@link SealedFiles.apply}. */
  announce(added: readonly SealedFile[]): void
  removedOf(id: MeasurementId): Removed | null
  /** Note a change that was committed. The files that are not in the manifest any more are deleted when no reader is using them. */
  apply(change: SealedChange): void
  /** Begin to read. Files that are replaced meanwhile stay until the returned function is called. */
  hold(): () => void
  /** Find a file by its path, also one that was replaced and is held. */
  find(file: string): SealedFile | undefined
  /** Note that a file cannot be read. */
  mark(file: SealedFile, fault: string | null): void
}

/** A change of the manifest. */
export interface SealedChange {
  readonly added: readonly SealedFile[]
  readonly retired: readonly SealedFile[]
  /** Whether the retired files’ rows are gone, and not in the added files. */
  readonly isRemoval: boolean
}

/** Read the manifest from the database. */
export async function loadSealedFiles(
  connection: DuckDBConnection,
  dir: string,
): Promise<SealedFiles> {
  const byKey = new Map<string, SealedFile[]>()
  const byPath = new Map<string, SealedFile>()
  const lasts = new Map<string, number>()
  const removed = new Map<string, Removed>()
  const held = new Set<object>()
  let retired: { readonly file: SealedFile; readonly readers: Set<object> }[] = []
  const keyOf = ({ scope, name }: MeasurementId) => measurementKey(scope, name)

  function announce(added: readonly SealedFile[]): void {
    for (const file of added) {
      byPath.set(file.file, file)
      lasts.set(keyOf(file), Math.max(lasts.get(keyOf(file)) ?? 0, file.lastLanded))
    }
  }
  function add(file: SealedFile): void {
    const files = byKey.get(keyOf(file)) ?? []
    byKey.set(keyOf(file), files)
    files.push(file)
    announce([file])
  }
  function drop(file: SealedFile): void {
    const files = byKey.get(keyOf(file)) ?? []
    byKey.set(
      keyOf(file),
      files.filter((each) => each.file !== file.file),
    )
  }
  function countRemoved(id: MeasurementId, rows: number, untilUs: number): void {
    const known = removed.get(keyOf(id)) ?? { rows: 0, untilUs: 0 }
    removed.set(keyOf(id), { rows: known.rows + rows, untilUs: Math.max(known.untilUs, untilUs) })
  }
  /** Delete the retired files that no reader uses. One that cannot be deleted now is set aside when the store opens again. */
  function sweep(): void {
    const unused = retired.filter(({ readers }) => readers.size === 0)
    retired = retired.filter(({ readers }) => readers.size > 0)
    for (const { file } of unused) {
      byPath.delete(file.file)
      const path = join(sealedDir(dir), file.file)
      for (const each of [path, path + damagedEnd]) rm(each, { force: true }).catch(() => undefined)
    }
  }

  const stored = await connection.runAndReadAll('select content from main.sealed_files')
  for (const [content] of stored.getRowsJS())
    if (typeof content === 'string') add(readEntry(content))
  const gone = await connection.runAndReadAll(
    'select scope, name, sum(removed_rows)::double, max(until_us)::double from main.removals group by all',
  )
  for (const [scope, name, rows, untilUs] of gone.getRowsJS())
    if (typeof scope === 'string' && typeof name === 'string')
      countRemoved({ scope, name }, Number(rows), Number(untilUs))

  return {
    of: (id) => byKey.get(keyOf(id)) ?? [],
    all: () => [...byKey.values()].flat(),
    lastLanded: (id) => lasts.get(keyOf(id)) ?? 0,
    announce,
    removedOf: (id) => removed.get(keyOf(id)) ?? null,
    apply(change) {
      for (const file of change.retired) {
        drop(file)
        retired.push({ file, readers: new Set(held) })
        if (change.isRemoval) countRemoved(file, file.rows, file.lastUs)
      }
      for (const file of change.added) add(file)
      sweep()
    },
    hold() {
      const reader = {}
      held.add(reader)
      return () => {
        held.delete(reader)
        for (const { readers } of retired) readers.delete(reader)
        sweep()
      }
    },
    find: (file) => byPath.get(file),
    mark(file, fault) {
      drop(file)
      add({ ...file, fault })
    },
  }
}

/** The version of an entry’s content. */
const entryVersion = 1

/** Write an entry of the manifest as JSON. */
function formatEntry({ fault: _, ...entry }: SealedFile): string {
  return JSON.stringify({ version: entryVersion, ...entry })
}

function readEntry(content: string): SealedFile {
  const entry = JSON.parse(content) as Omit<SealedFile, 'fault'> & { readonly version: number }
  if (entry.version !== entryVersion)
    throw new Error(`its list of sealed files has entries of version ${entry.version}`)
  const { version: _, ...file } = entry
  return { ...file, fault: null }
}

/** The statements that change the stored manifest. They run in the transaction of the change. */
export function changeStatements({ added, retired, isRemoval }: SealedChange): readonly string[] {
  const values = added.map(
    (file) =>
      `(${quoteText(file.scope)}, ${quoteText(file.name)}, ${quoteText(file.file)}, ${file.nodes[0] ?? 'null'}, ${file.firstLanded}, ${quoteText(formatEntry(file))})`,
  )
  const removals = retired.map(
    ({ scope, name, rows, lastUs }) =>
      `(${quoteText(scope)}, ${quoteText(name)}, ${rows}, ${lastUs})`,
  )
  const files = retired.map(({ file }) => quoteText(file)).join(', ')
  return [
    ...(retired.length === 0 ? [] : [`delete from main.sealed_files where file in (${files})`]),
    ...(values.length === 0 ? [] : [`insert into main.sealed_files values ${values.join(', ')}`]),
    ...(isRemoval && removals.length > 0
      ? [`insert into main.removals values ${removals.join(', ')}`]
      : []),
  ]
}
