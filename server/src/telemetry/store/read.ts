import type { Measurement } from '@community-lab/contract'
import { encodeNumber, maybeUnitOf } from '@community-lab/contract/samples'
import { runField } from '../domain/layout.ts'
import { measurementKey, quoteText } from '../domain/name.ts'
import type { SealedFile } from '../domain/sealing.ts'
import type { Catalog, StoredTable } from './catalog.ts'
import type { MeasurementId, ParquetRequest, RowsAnswer, RowsRequest } from './protocol.ts'
import {
  columnsOf,
  filesOf,
  hotRows,
  parquetInteger,
  relationOf,
  sealedRows,
  selectColumns,
  type RowRange,
} from './relation.ts'
import { sealedDir, type SealedFiles } from './sealed-files.ts'
import { atOneMoment, type SnapshotSource } from './snapshot.ts'

/** What a reader reads from. */
export interface Source extends SnapshotSource {
  readonly catalog: Catalog
}

/** The most characters of values in one answer, whatever number of rows was requested: a reader may be slow, and there are many readers. */
const maxAnswerCharacters = 1024 * 1024

/**
 * Read committed rows, in the order of their numbers. The table has its rows in that order, so DuckDB stops at the last row of the answer, however many
 * follow it. A reader who is ahead of all sealed rows, as one of live rows is, causes no look at their files.
 */
export async function readRows(source: Source, request: RowsRequest): Promise<RowsAnswer> {
  const { catalog, files } = source
  const { after } = request
  // Read this before the query, so that rows that are committed meanwhile are not skipped.
  const readTo = Math.max(after, catalog.committedLanded)
  const table = findCommitted(catalog, request)
  const hasRun = table?.committed?.has(runField) === true
  if (table === null || (request.run !== null && !hasRun))
    return { batch: null, readTo, hasMore: false }
  if (files.lastLanded(request) <= after) {
    const range = { ...request, fromUs: null, toUs: null, upTo: readTo }
    const answer = await readPage(source, table, {
      ...{ sql: `(${hotRows(table, range)})`, readTo, request },
    })
    // Otherwise rows of this answer may have been sealed before DuckDB began to read.
    if (files.lastLanded(request) <= after) return answer
  }
  for (let from = after; ;) {
    const answer = await readBoth(source, table, { request: { ...request, after: from }, readTo })
    if (answer.batch !== null || answer.readTo >= readTo) return answer
    from = answer.readTo
  }
}

/**
 * Read rows of the database and of sealed files. Those are sorted by node and time, so all rows of a file are looked at for the next ones. To look at few files,
 * rows are read up to the last one of the file that ends first.
 */
function readBoth(
  source: Source,
  table: StoredTable,
  { request, readTo }: { readonly request: RowsRequest; readonly readTo: number },
): Promise<RowsAnswer> {
  const range = { ...request, fromUs: null, toUs: null, upTo: readTo }
  return atOneMoment(source, request, async (files) => {
    const candidates = filesOf(files, range)
    const upTo = Math.min(readTo, ...candidates.map((file) => file.lastLanded))
    const part: RowRange = { ...range, upTo }
    const dir = sealedDir(source.dir)
    const sealed = sealedRows(table, filesOf(candidates, part), { range: part, dir })
    const hot = `select * from (${hotRows(table, part)}) limit ${request.limit}`
    const rows = [`(${hot})`, ...sealed].join(' union all ')
    const answer = await readPage(source, table, {
      ...{ sql: `(${rows}) order by landed`, readTo: upTo, request },
    })
    return { ...answer, hasMore: answer.hasMore || upTo < readTo }
  })
}

async function readPage(
  { connection }: Source,
  table: StoredTable,
  {
    sql,
    readTo,
    request: { limit },
  }: { readonly sql: string; readonly readTo: number; readonly request: RowsRequest },
): Promise<RowsAnswer> {
  const answer = await connection.runAndReadAll(
    `select ${selectColumns(table, { time: 'epoch_us(time)' })} from ${sql} limit ${limit}`,
  )
  const columns = answer.columnNames()
  const types = columnsOf(table).map(([, type]) => type)
  const found = answer.getRowsJS().map((row) => row.map(toJson))
  const rows = found.slice(0, countWithin(found, maxAnswerCharacters))
  const landed = rows.at(-1)?.[columns.indexOf('landed')]
  if (typeof landed !== 'number') return { batch: null, readTo, hasMore: false }
  const hasMore = found.length >= limit || rows.length < found.length
  return {
    batch: { columns, types, rows, landed },
    readTo: hasMore ? landed : readTo,
    hasMore,
  }
}

/** Count the first rows that together have at most so many characters; at least one row. */
function countWithin(rows: readonly (readonly unknown[])[], characters: number): number {
  let left = characters
  return (
    rows.findIndex((row) => {
      for (const value of row) left -= typeof value === 'string' ? value.length : 8
      return left <= 0
    }) + 1 || rows.length
  )
}

/**
 * The number of rows in one row group of a Parquet file. DuckDB holds a few groups in memory while it writes, and a group has 100 MiB at most: see
 * `maxSampleCharacters`. Larger groups would make a file only slightly smaller.
 */
const rowGroupRows = 4096

/**
 * Write the rows of a measurement to a Parquet file, in the order of their numbers, or by node and time. Returns false when there is no such measurement. Only the
 * sealed files are read that may have rows of the request. The table has its rows in the order of their numbers, so where all rows are in it nothing is sorted;
 * otherwise DuckDB sorts with files for what exceeds its memory. Times in the file have a time zone, so that readers compare them correctly with the present.
 */
export async function writeParquet(source: Source, request: ParquetRequest): Promise<boolean> {
  const table = findCommitted(source.catalog, request)
  if (table === null) return false
  const range: RowRange = { ...request, upTo: request.upTo ?? null }
  const dir = sealedDir(source.dir)
  await atOneMoment(source, request, async (all) => {
    const files = filesOf(all, range)
    const order = request.order === 'time' ? 'node_id, time, landed' : 'landed'
    const isSorted = request.order !== 'time' && files.length === 0
    const columns = selectColumns(table, { time: `time at time zone 'UTC'` }, parquetInteger)
    await source.connection.run(
      `copy (select ${columns} from ${relationOf(table, files, { range, dir })}${isSorted ? '' : ` order by ${order}`})
       to ${quoteText(request.file)} (format parquet, compression zstd, row_group_size ${rowGroupRows})`,
    )
  })
  return true
}

/** Describe a table whose extent has been read. */
export function describeTable(table: StoredTable, files: SealedFiles): Measurement {
  const { scope, name, extent } = table
  const removed = files.removedOf(table)
  const faulty = files.of(table).filter((file) => file.fault !== null)
  return {
    scope,
    name,
    columns: columnsOf(table).map(([column, type]) => ({
      name: column,
      type,
      unit: maybeUnitOf(column),
    })),
    rows: extent?.rows ?? 0,
    first_time: toTime(extent?.firstUs ?? null),
    last_time: toTime(extent?.lastUs ?? null),
    ...(removed === null
      ? {}
      : { removed: { rows: removed.rows, last_time: toTime(removed.untilUs) } }),
    ...(faulty.length === 0
      ? {}
      : { unreadable: { rows: sumOf(faulty), files: faulty.map(({ file }) => file) } }),
  }
}

function sumOf(files: readonly SealedFile[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0)
}

function findCommitted(catalog: Catalog, { scope, name }: MeasurementId): StoredTable | null {
  const table = catalog.tables.get(measurementKey(scope, name))
  return table === undefined || table.committed === null ? null : table
}

function toJson(value: unknown): unknown {
  return typeof value === 'bigint' || typeof value === 'number' ? encodeNumber(value) : value
}

/** Format a time as in RFC 3339. Returns null for a time that a calendar cannot express, which a node with a wrong clock may send. */
function toTime(us: number | null): string | null {
  if (us === null) return null
  const date = new Date(us / 1000)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}
