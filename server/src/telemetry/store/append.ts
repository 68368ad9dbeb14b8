import { decodeNumber, type FieldKind, type FieldValue } from '@community-lab/contract/samples'
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBTimestampValue,
  HUGEINT,
  INTEGER,
  TIMESTAMP,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api'
import { columnTypes, firstColumns, kindIn, listColumns, type Field } from '../domain/layout.ts'
import type { StoredTable } from './catalog.ts'
import type { PlannedRow } from './commit.ts'

/** The number of values in one of DuckDB's vectors. */
const chunkRows = 2048

const types = {
  TIMESTAMP,
  VARCHAR,
  INTEGER,
  BIGINT,
  HUGEINT,
  DOUBLE,
  BOOLEAN,
} satisfies Record<string, DuckDBType>

/** The values of the first columns of a row. */
const firstValues: Readonly<
  Record<(typeof firstColumns)[number][0], (row: PlannedRow) => DuckDBValue>
> = {
  time: ({ sample }) => new DuckDBTimestampValue(BigInt(sample.timeUs)),
  node: ({ node }) => node,
  node_id: ({ nodeId }) => nodeId,
  sliver: ({ sample }) => sample.sliver,
  seq: ({ sample }) => BigInt(sample.seq),
  spool: ({ spool }) => spool,
  landed: ({ landed }) => BigInt(landed),
  overflow: ({ fitted }) => fitted.overflow,
}

interface ColumnReader {
  readonly type: DuckDBType
  readonly read: (row: PlannedRow) => DuckDBValue
}

/** Append rows to a table that has all the columns of their fields. Runs in the transaction of the connection. */
export async function appendRows(
  connection: DuckDBConnection,
  table: StoredTable,
  rows: readonly PlannedRow[],
): Promise<void> {
  const readers = new Map<string, ColumnReader>(
    firstColumns.map(([name, type]) => [name, { type: types[type], read: firstValues[name] }]),
  )
  for (const { column, name, kind } of listColumns(table.fields)) {
    const field = table.fields.get(name)
    if (field !== undefined) readers.set(column, readKind(name, field, kind))
  }
  // The appender needs the values in the order of the table's columns.
  const columns = table.columns.flatMap((column) => readers.get(column) ?? [])
  const appender = await connection.createAppender(table.name, table.scope)
  try {
    for (let from = 0; from < rows.length; from += chunkRows) {
      const part = rows.slice(from, from + chunkRows)
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => type),
        part.length,
      )
      chunk.setColumns(columns.map(({ read }) => part.map(read)))
      appender.appendDataChunk(chunk)
    }
  } finally {
    // Closing writes the remaining rows, into the same transaction.
    appender.closeSync()
  }
}

/** Create a reader for the values of one kind of a field. */
function readKind(name: string, field: Field, kind: FieldKind): ColumnReader {
  return {
    type: types[columnTypes[kind]],
    read: ({ fitted }) => {
      const value = fitted.values.get(name)
      return value === undefined || kindIn(field, value) !== kind ? null : toDuckDB(value, kind)
    },
  }
}

function toDuckDB(value: FieldValue, kind: FieldKind): DuckDBValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  const number = decodeNumber(value)
  return kind === 'integer' ? BigInt(number) : number
}
