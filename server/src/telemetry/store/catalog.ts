import type { FieldKind } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { columnOf, columnTypes, firstColumns, readFields, type Fields } from '../domain/layout.ts'
import { declaredFields } from '../domain/declared.ts'
import {
  isScope,
  measurementKey,
  nodeScope,
  quoteIdentifier,
  quoteText,
  tableOf,
} from '../domain/name.ts'
import { createSpoolBook, type SpoolBook } from '../domain/spool-book.ts'

/** The number of rows in a table and their times, in microseconds since the epoch. */
export interface Extent {
  rows: number
  firstUs: number | null
  lastUs: number | null
}

/** The table of a measurement. */
export interface StoredTable {
  readonly scope: string
  readonly name: string
  /** The fields for the next sample. They may be ahead of the file until the commit. */
  readonly fields: Fields
  /** All columns, in the order of the table. They may be ahead of the file until the commit. */
  readonly columns: string[]
  /** The columns of fields that are in the file, with DuckDB's types; null before the first commit. Readers use these. */
  committed: ReadonlyMap<string, string> | null
  /** The number of columns of the table that samples of each node have added. Both scopes, `node` and slices, limit it. */
  readonly begunOf: Map<number, number>
  /** Whether the table has the columns of its declared fields, if it has such fields. */
  isDeclared: boolean
  /** Null until it was asked for. */
  extent: Extent | null
}

/** The content of the file, as the writer knows it. */
export interface Catalog {
  /** The tables, by {@link measurementKey}. */
  readonly tables: Map<string, StoredTable>
  /** The number of measurements in each scope. */
  readonly measurementsOf: Map<string, number>
  /** The number of undeclared measurements of the scope `node` that samples of each node have created. */
  readonly undeclaredOf: Map<number, number>
  readonly spools: SpoolBook
  /** The number of the last planned row. It is ahead of the file until the commit. */
  landed: number
  /** The number of the last committed row. Readers use this. */
  committedLanded: number
}

const firstNames: ReadonlySet<string> = new Set(firstColumns.map(([name]) => name))

/** Add a table to the catalog. */
export function addTable(catalog: Catalog, table: StoredTable): StoredTable {
  const { tables, measurementsOf } = catalog
  tables.set(measurementKey(table.scope, table.name), table)
  measurementsOf.set(table.scope, (measurementsOf.get(table.scope) ?? 0) + 1)
  return table
}

/**
 * Row numbers start from the time of opening, with this many numbers per millisecond. So a file that was restored from an older copy never repeats a number
 * that was used after the copy was made. Otherwise a reader who goes on from such a number would miss rows. No server stores this many rows per millisecond for
 * long.
 */
const landedPerMs = 100

/** How far row numbers may be behind the time, in milliseconds. They do not follow it more often, because files with dense numbers are smaller. */
const landedBehindMs = 60_000

/** Let row numbers follow the time, in milliseconds since the epoch, so that they tell when a row came: see {@link landedSince}. */
export function followTime(catalog: Catalog, nowMs: number): void {
  if (catalog.landed < (nowMs - landedBehindMs) * landedPerMs)
    catalog.landed = Math.floor(nowMs) * landedPerMs
}

/** Return the number that all rows exceed which came at a time or later, in microseconds since the epoch by the server's clock; of earlier rows, those of a minute may, and no others. */
export function landedSince(timeUs: number): number {
  return Math.max(0, Math.floor((timeUs / 1000 - landedBehindMs) * landedPerMs) - 1)
}

/** Count a new undeclared measurement of the scope `node` for the node whose sample created it. */
export function countUndeclared({ undeclaredOf }: Catalog, nodeId: number): void {
  undeclaredOf.set(nodeId, (undeclaredOf.get(nodeId) ?? 0) + 1)
}

/** Tell whether a measurement of the scope `node` is undeclared, which means that no version of agent or server is known to make it. */
export function isUndeclared(scope: string, name: string): boolean {
  return scope === nodeScope && declaredFields(scope, name) === null
}

/** Read the catalog from the file. */
export async function loadCatalog(
  connection: DuckDBConnection,
  spoolsPerNode: number,
): Promise<Catalog> {
  const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJS()
  const readTexts = async (sql: string) => (await read(sql)).map((row) => row.map(toText))
  const [store] = await read('select landed from main.store')
  const landed = Math.max(Number(store?.[0] ?? 0), Date.now() * landedPerMs)
  const catalog: Catalog = {
    tables: new Map(),
    measurementsOf: new Map(),
    undeclaredOf: new Map(),
    spools: createSpoolBook(spoolsPerNode),
    landed,
    committedLanded: landed,
  }
  for (const [nodeId, spool, seq] of await readTexts('from main.spools'))
    catalog.spools.note({ nodeId: Number(nodeId), spool: spool ?? '' }, Number(seq))
  const columns = await readTexts(
    `select schema_name, table_name, column_name, data_type from duckdb_columns()
     where database_name = current_database() and not internal
     order by schema_name, table_name, column_index`,
  )
  const byTable = new Map<string, StoredColumn[]>()
  for (const [scope = '', name = '', column = '', type = ''] of columns) {
    const key = measurementKey(scope, name)
    const found = byTable.get(key)
    if (found === undefined) byTable.set(key, [{ column, type }])
    else found.push({ column, type })
  }
  const stored = await readTexts(
    `select schema_name, table_name from duckdb_tables() where database_name = current_database()`,
  )
  for (const [scope, name] of stored) {
    if (scope === undefined || name === undefined || !isScope(scope)) continue
    addTable(catalog, readTable(scope, name, byTable.get(measurementKey(scope, name)) ?? []))
    if (!isUndeclared(scope, name)) continue
    // The oldest rows may be in sealed files.
    const [first] = await read(
      `select node_id from (
         (select first_node_id as node_id, 1 as place from main.sealed_files
          where scope = ${quoteText(scope)} and name = ${quoteText(name)} order by first_landed limit 1)
         union all (select node_id, 2 from ${tableOf({ scope, name })} limit 1)
       ) order by place limit 1`,
    )
    if (first !== undefined) countUndeclared(catalog, Number(first[0]))
  }
  for (const [scope = '', name = '', field = ''] of await readTexts('from main.declared_fields')) {
    const fields = catalog.tables.get(measurementKey(scope, name))?.fields
    const known = fields?.get(field)
    if (known !== undefined) fields?.set(field, { ...known, isDeclared: true })
  }
  for (const [scope = '', name = '', nodeId, count] of await readTexts('from main.begun_columns'))
    catalog.tables.get(measurementKey(scope, name))?.begunOf.set(Number(nodeId), Number(count))
  return catalog
}

interface StoredColumn {
  readonly column: string
  readonly type: string
}

function readTable(scope: string, name: string, stored: readonly StoredColumn[]): StoredTable {
  const ofFields = stored.filter(({ column }) => !firstNames.has(column))
  return {
    scope,
    name,
    fields: readFields(ofFields.map(({ column, type }) => ({ column, kind: kindOfType(type) }))),
    columns: stored.map(({ column }) => column),
    committed: new Map(ofFields.map(({ column, type }) => [column, type])),
    begunOf: new Map(),
    isDeclared: false,
    extent: null,
  }
}

/** Count the values of each kind in some fields of a table, and find out whether their numbers are whole. `source` is SQL of all its rows. */
export async function countFields(
  connection: DuckDBConnection,
  table: StoredTable,
  { names, source }: { readonly names: ReadonlySet<string>; readonly source: string },
): Promise<void> {
  for (const name of names) {
    const field = table.fields.get(name)
    if (field === undefined) continue
    const kinds = [...field.counts.keys()]
    const columns = kinds.map((kind) => quoteIdentifier(columnOf(name, field, kind)))
    const number = quoteIdentifier(columnOf(name, field, 'number'))
    const isWhole = kinds.includes('number')
      ? `coalesce(bool_and(${number} = trunc(${number}) and abs(${number}) <= ${Number.MAX_SAFE_INTEGER}), true)`
      : 'true'
    const answer = await connection.runAndReadAll(
      `select ${isWhole}, ${columns.map((column) => `count(${column})`).join(', ')} from ${source}`,
    )
    const [whole, ...counts] = answer.getRowsJS()[0] ?? []
    field.isWhole = whole === true
    for (const [index, kind] of kinds.entries()) field.counts.set(kind, Number(counts[index] ?? 0))
    field.isCounted = true
  }
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : String(Number(value))
}

/** Return the kind of the values in a column of the database. */
export function kindOfType(type: string): FieldKind {
  for (const [kind, of] of Object.entries(columnTypes)) if (of === type) return kind as FieldKind
  return 'text'
}
