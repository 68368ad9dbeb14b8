import type { DuckDBConnection } from '@duckdb/node-api'
import { firstColumns, type Fields, type FieldType } from '../domain/layout.ts'
import { isScope, measurementKey, tableOf } from '../domain/name.ts'
import type { SpoolId } from './protocol.ts'

/** How much a table holds; times in microseconds since the epoch. */
export interface Extent {
  rows: number
  firstUs: number | null
  lastUs: number | null
}

/** A measurement's table. */
export interface StoredTable {
  readonly scope: string
  readonly name: string
  /** What the next sample is fitted into; may run ahead of the file until the commit. */
  readonly fields: Fields
  /** The columns that are in the file; null before the first commit. Readers go by these. */
  committed: Fields | null
  /** Null until somebody asked. */
  extent: Extent | null
}

/** What the file holds, as the writer knows it. */
export interface Catalog {
  /** By {@link measurementKey}. */
  readonly tables: Map<string, StoredTable>
  /** How many measurements each scope has. */
  readonly measurementsOf: Map<string, number>
  /** The last committed record of each spool, by {@link spoolKey}. */
  readonly committedSeqs: Map<string, number>
  /** The number that the row planned last has got; runs ahead of the file until the commit. */
  landed: number
  /** The number of the last row that is committed. Readers go by this. */
  committedLanded: number
}

/** The key of a spool. */
export function spoolKey({ nodeId, spool }: SpoolId): string {
  return `${nodeId}/${spool}`
}

/** Put a table into the catalog. */
export function addTable(catalog: Catalog, table: StoredTable): StoredTable {
  const { tables, measurementsOf } = catalog
  tables.set(measurementKey(table.scope, table.name), table)
  measurementsOf.set(table.scope, (measurementsOf.get(table.scope) ?? 0) + 1)
  return table
}

/** Read the catalog from the file. */
export async function loadCatalog(connection: DuckDBConnection): Promise<Catalog> {
  const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJS()
  const readTexts = async (sql: string) => (await read(sql)).map((row) => row.map(toText))
  const [store] = await read('select landed from main.store')
  const catalog: Catalog = {
    tables: new Map(),
    measurementsOf: new Map(),
    committedSeqs: new Map(),
    landed: Number(store?.[0] ?? 0),
    committedLanded: Number(store?.[0] ?? 0),
  }
  for (const [nodeId, spool, seq] of await readTexts('from main.spools'))
    catalog.committedSeqs.set(spoolKey({ nodeId: Number(nodeId), spool: spool ?? '' }), Number(seq))
  const columns = await readTexts(
    `select schema_name, table_name, column_name, data_type from duckdb_columns()
     where database_name = current_database() and not internal and column_index > ${firstColumns.length}
     order by schema_name, table_name, column_index`,
  )
  const tables = await readTexts(
    `select schema_name, table_name from duckdb_tables() where database_name = current_database()`,
  )
  for (const [scope, name] of tables) {
    if (scope === undefined || name === undefined || !isScope(scope)) continue
    const fields: Fields = new Map()
    for (const [inScope, inTable, column, type] of columns)
      if (inScope === scope && inTable === name) fields.set(column ?? '', fieldType(type))
    addTable(catalog, { scope, name, fields, committed: new Map(fields), extent: null })
  }
  return catalog
}

/** Read how much a table holds. */
export async function readExtent(
  connection: DuckDBConnection,
  table: StoredTable,
): Promise<Extent> {
  const answer = await connection.runAndReadAll(
    `select count(*), epoch_us(min(time)), epoch_us(max(time)) from ${tableOf(table)}`,
  )
  const [rows, first, last] = answer.getRowsJS()[0] ?? []
  const orNull = (value: unknown): number | null =>
    typeof value === 'bigint' ? Number(value) : null
  return { rows: Number(rows ?? 0), firstUs: orNull(first), lastUs: orNull(last) }
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : String(Number(value))
}

function fieldType(type: string | undefined): FieldType {
  return type === 'DOUBLE' || type === 'BOOLEAN' ? type : 'VARCHAR'
}
