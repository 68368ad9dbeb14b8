import { LabError, RecordedTable, routes } from '@community-lab/contract'
import type { DuckDBConnection } from '@duckdb/node-api'
import Type from 'typebox'
import type { Session } from '../session.ts'
import { quoteIdentifier, quoteText } from './sql-quote.ts'

/** A period; no end: up to now. */
export interface RecordedPeriod {
  readonly from: Date
  readonly to: Date | undefined
}

/** Ask the server for what it has recorded itself of a period: the states of nodes and the use of slivers. An older server says nothing. */
export async function fetchRecorded(
  { http }: Pick<Session, 'http'>,
  { from, to }: RecordedPeriod,
  signal: AbortSignal,
): Promise<readonly RecordedTable[]> {
  const query = { from: from.toISOString(), ...(to === undefined ? {} : { to: to.toISOString() }) }
  try {
    return await http.ask(Type.Array(RecordedTable), routes.healthRecorded, { query, signal })
  } catch (error) {
    if (LabError.is(error, 'LAB_NOT_FOUND')) return []
    throw error
  }
}

/** The types of columns that a server may name: they become part of SQL. */
const types: ReadonlySet<string> = new Set([
  ...['TIMESTAMP WITH TIME ZONE', 'VARCHAR', 'INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN'],
])
/** Rows that are added by one statement. */
const rowsAtOnce = 1_000

/** Make a table of it, after the rows of published days: `published` is SQL of these, null when there are none. A column of a type that is not known is text. */
export async function writeRecorded(
  connection: DuckDBConnection,
  { name, columns, rows }: RecordedTable,
  published: string | null,
): Promise<void> {
  const table = quoteIdentifier(name)
  const defined = columns.map(
    (column) =>
      `${quoteIdentifier(column.name)} ${types.has(column.type) ? column.type : 'VARCHAR'}`,
  )
  await connection.run(`create or replace table ${table} (${defined.join(', ')})`)
  if (published !== null) await connection.run(`insert into ${table} by name ${published}`)
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    const values = rows
      .slice(at, at + rowsAtOnce)
      .map((row) => `(${columns.map((_, index) => literalOf(row[index] ?? null)).join(', ')})`)
    await connection.run(`insert into ${table} values ${values.join(', ')}`)
  }
}

function literalOf(value: string | number | null): string {
  if (value === null) return 'null'
  return typeof value === 'number' ? String(value) : quoteText(value)
}
