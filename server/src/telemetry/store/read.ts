import type { Measurement } from '@community-lab/contract'
import { encodeNumber, maybeUnitOf } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { columnTypes, firstColumns, runField } from '../domain/layout.ts'
import { measurementKey, quoteIdentifier, quoteText, tableOf } from '../domain/name.ts'
import type { Catalog, StoredTable } from './catalog.ts'
import type { ParquetRequest, RowsAnswer, RowsRequest } from './protocol.ts'

/** The most characters of values in one answer, whatever number of rows was requested: a reader may be slow, and there are many readers. */
const maxAnswerCharacters = 1024 * 1024

/**
 * Read committed rows, in the order of their numbers. The table has its rows in that order, so DuckDB stops at the last row of the answer, however many
 * follow it.
 */
export async function readRows(
  connection: DuckDBConnection,
  catalog: Catalog,
  request: RowsRequest,
): Promise<RowsAnswer> {
  const { after, limit } = request
  // Read this before the query, so that rows that are committed meanwhile are not skipped.
  const readTo = Math.max(after, catalog.committedLanded)
  const table = findCommitted(catalog, request)
  const run = table === null ? 'false' : runCondition(table, request.run)
  if (table === null || run === 'false') return { batch: null, readTo, hasMore: false }
  const answer = await connection.runAndReadAll(
    `select ${selectColumns(table, { time: 'epoch_us(time)' })} from ${tableOf(table)}
     where landed > ${after} and landed <= ${readTo} and ${run} limit ${limit}`,
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
 * Write the rows of a measurement to a Parquet file, in the order of their numbers. Returns false when there is no such measurement. The table has its rows in
 * that order, so nothing is sorted, and a file may be larger than DuckDB's memory. Times in the file have a time zone, so that readers compare them correctly
 * with the present.
 */
export async function writeParquet(
  connection: DuckDBConnection,
  catalog: Catalog,
  request: ParquetRequest,
): Promise<boolean> {
  const table = findCommitted(catalog, request)
  if (table === null) return false
  const { fromUs, toUs, after } = request
  const conditions = [
    runCondition(table, request.run),
    ...(after === 0 ? [] : [`landed > ${after}`]),
    ...(fromUs === null ? [] : [`time >= make_timestamp(${fromUs}::bigint)`]),
    ...(toUs === null ? [] : [`time < make_timestamp(${toUs}::bigint)`]),
  ]
  await connection.run(
    `copy (select ${selectColumns(table, { time: `time at time zone 'UTC'` }, 'decimal(38, 0)')} from ${tableOf(table)} where ${conditions.join(' and ')})
     to ${quoteText(request.file)} (format parquet, compression zstd, row_group_size ${rowGroupRows})`,
  )
  return true
}

/** Describe a table whose extent has been read. */
export function describeTable(table: StoredTable): Measurement {
  const { scope, name, extent } = table
  const columns = columnsOf(table)
  return {
    scope,
    name,
    columns: columns.map(([column, type]) => ({ name: column, type, unit: maybeUnitOf(column) })),
    rows: extent?.rows ?? 0,
    first_time: toTime(extent?.firstUs ?? null),
    last_time: toTime(extent?.lastUs ?? null),
  }
}

/** List the columns of a table that readers see, with DuckDB's types, in order. */
function columnsOf({ committed }: StoredTable): readonly (readonly [string, string])[] {
  return [...firstColumns, ...(committed ?? [])]
}

/** Return the columns in SQL. `integerType` replaces the type of integers beyond 2^53, because Parquet has no HUGEINT and DuckDB would round. */
function selectColumns(
  table: StoredTable,
  replaced: Readonly<Record<string, string>>,
  integerType: string = columnTypes.integer,
): string {
  const expressions = columnsOf(table).map(([column, type]) => {
    const name = quoteIdentifier(column)
    if (Object.hasOwn(replaced, column)) return `${replaced[column] ?? name} as ${name}`
    return type === columnTypes.integer ? `${name}::${integerType} as ${name}` : name
  })
  return expressions.join(', ')
}

function findCommitted(
  catalog: Catalog,
  { scope, name }: { readonly scope: string; readonly name: string },
): StoredTable | null {
  const table = catalog.tables.get(measurementKey(scope, name))
  return table === undefined || table.committed === null ? null : table
}

/** Return the condition for the rows of a run; `false` when no row can belong to a run yet. */
function runCondition(table: StoredTable, run: string | null): string {
  if (run === null) return 'true'
  return table.committed?.has(runField) === true ? `${runField} = ${quoteText(run)}` : 'false'
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
