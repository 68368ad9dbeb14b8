import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { quoteText } from '../domain/name.ts'
import { sealedPath, type Period, type SealedFile } from '../domain/sealing.ts'
import { chooseTypes, encodedColumns, encodedTypes } from './encoding.ts'
import type { MeasurementId } from './protocol.ts'

/** Writes sealed files. It has a DuckDB of its own, in memory, so that sorting takes no memory and no thread from commits and readers. */
export interface FileWriter {
  /**
   * Sort rows by node and time, and write them to a new file. `source` is SQL of the rows, with the columns and types of the database. Returns null when there
   * are no rows. The file is on the disk for sure when this has returned.
   */
  write(id: MeasurementId, options: WriteOptions): Promise<SealedFile | null>
  interrupt(): void
  close(): void
}

/** Options of {@link FileWriter.write}. */
export interface WriteOptions {
  readonly period: Period
  readonly source: string
  readonly columns: readonly (readonly [string, string])[]
}

/** Where a {@link FileWriter} writes, and how much memory it takes. */
export interface FileWriterOptions {
  readonly memoryMiB: number
  /** The folder of sealed files. */
  readonly dir: string
  /** The folder for temporary files, on the same disk. */
  readonly scratch: string
}

/** The version of the files’ layout, which is in each file’s metadata. */
const fileVersion = 1
/** The most runs that are listed for a file. */
const maxRuns = 100
/** The most rows in a row group, and the fewest: DuckDB’s vectors have 2048. Large groups make smaller files, and take more memory. */
const maxGroupRows = 122_880
const minGroupRows = 2_048
/** The share of the memory that one row group may take. */
const groupShare = 1 / 8

/** Start a DuckDB for writing files. It has one thread. */
export async function openFileWriter({
  memoryMiB,
  dir,
  scratch,
}: FileWriterOptions): Promise<FileWriter> {
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${memoryMiB}MiB`,
    preserve_insertion_order: 'true',
    temp_directory: join(scratch, 'sort'),
    threads: '1',
  })
  const connection = await instance.connect()
  const ask = async (sql: string): Promise<readonly unknown[]> =>
    (await connection.runAndReadAll(sql)).getRowsJS()[0] ?? []

  async function write(
    { scope, name }: MeasurementId,
    { period, source, columns }: WriteOptions,
  ): Promise<SealedFile | null> {
    const texts = columns.filter(([, type]) => type === 'VARCHAR').map(([column]) => column)
    const found = await survey(connection, { source, columns, texts })
    if (found === null) return null
    const chosen = await chooseTypes(ask, source, columns)
    const tag = randomBytes(6).toString('hex')
    const file = sealedPath({ scope, name }, period, tag)
    const draft = join(scratch, `${tag}.parquet`)
    const budget = memoryMiB * 1024 * 1024 * groupShare
    const fitting = Math.floor(budget / (columns.length * 8 + found.textBytes))
    const groupRows = Math.max(minGroupRows, Math.min(maxGroupRows, fitting))
    try {
      await connection.run(
        `copy (select ${encodedColumns(columns, chosen)} from ${source} order by node_id, time, landed)
         to ${quoteText(draft)} (format parquet, parquet_version v2, compression zstd, dictionary_size_limit 1,
           row_group_size ${groupRows}, kv_metadata {community_lab_version: '${fileVersion}', scope: ${quoteText(scope)}, name: ${quoteText(name)}})`,
      )
      const sha256 = await hashFile(draft)
      const { size: bytes } = await stat(draft)
      const target = join(dir, file)
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      await sync(draft)
      await rename(draft, target)
      // Each folder that may be new, too: its rows leave the database next, and a power cut takes what is in no folder on the disk.
      const store = dirname(dir)
      for (let folder = dirname(target); folder !== store; folder = dirname(folder))
        await sync(folder)
      await sync(store)
      return {
        ...{ scope, name, file, period, bytes, sha256, ...found.facts },
        ...{ columns: encodedTypes(columns, chosen), fault: null },
      }
    } finally {
      await rm(draft, { force: true })
    }
  }

  return {
    write,
    interrupt: () => connection.interrupt(),
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

interface Survey {
  readonly facts: Pick<
    SealedFile,
    'rows' | 'firstUs' | 'lastUs' | 'firstLanded' | 'lastLanded' | 'nodes' | 'runs'
  >
  /** The mean number of bytes of a row’s texts. */
  readonly textBytes: number
}

/** Read what the manifest says of rows; null when there are none. */
async function survey(
  connection: DuckDBConnection,
  {
    source,
    columns,
    texts,
  }: Pick<WriteOptions, 'source' | 'columns'> & { readonly texts: readonly string[] },
): Promise<Survey | null> {
  const lengths = texts.map((column) => `coalesce(strlen("${column}"), 0)`).join(' + ') || '0'
  const answer = await connection.runAndReadAll(
    `select count(*)::double, epoch_us(min(time))::double, epoch_us(max(time))::double, min(landed)::double, max(landed)::double,
       arg_min(node_id, landed)::double, avg(${lengths})::double from ${source}`,
  )
  const [rows = 0, firstUs = 0, lastUs = 0, firstLanded = 0, lastLanded = 0, first = 0, text = 0] =
    (answer.getRowsJS()[0] ?? []).map(Number)
  if (rows === 0) return null
  const nodes = await connection.runAndReadAll(
    `select distinct node_id::double from ${source} where node_id <> ${first} order by all`,
  )
  const hasRun = columns.some(([column, type]) => column === 'run' && type === 'VARCHAR')
  const runs = hasRun
    ? await connection.runAndReadAll(
        `select distinct run from ${source} where run is not null order by all limit ${maxRuns + 1}`,
      )
    : null
  const named = (runs?.getRowsJS() ?? []).flatMap(([run]) => (typeof run === 'string' ? [run] : []))
  return {
    facts: {
      ...{ rows, firstUs, lastUs, firstLanded, lastLanded },
      nodes: [first, ...nodes.getRowsJS().map(([id]) => Number(id))],
      runs: named.length > maxRuns ? null : named,
    },
    textBytes: text,
  }
}

/** Return the SHA-256 of a file, in hexadecimal digits. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** Make sure that a file, or the names in a folder, are on the disk. */
async function sync(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
