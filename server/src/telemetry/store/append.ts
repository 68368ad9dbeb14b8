import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBTimestampValue,
  TIMESTAMP,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api'
import { firstColumns } from '../domain/layout.ts'
import type { StoredTable } from './catalog.ts'
import type { PlannedRow } from './commit.ts'

/** DuckDB's vectors hold so many values. */
const chunkRows = 2048

const types = { TIMESTAMP, VARCHAR, BIGINT, DOUBLE, BOOLEAN } satisfies Record<string, DuckDBType>

/** How the first columns are read off a row. */
const firstValues: Readonly<
  Record<(typeof firstColumns)[number][0], (row: PlannedRow) => DuckDBValue>
> = {
  time: ({ sample }) => new DuckDBTimestampValue(BigInt(sample.timeUs)),
  node: ({ node }) => node,
  sliver: ({ sample }) => sample.sliver,
  seq: ({ sample }) => BigInt(sample.seq),
  spool: ({ spool }) => spool,
  landed: ({ landed }) => BigInt(landed),
  overflow: ({ fitted }) => fitted.overflow,
}

/** Append rows to a table that has all the columns its fields name. Belongs to the connection's transaction. */
export async function appendRows(
  connection: DuckDBConnection,
  table: StoredTable,
  rows: readonly PlannedRow[],
): Promise<void> {
  const columns: readonly (readonly [DuckDBType, (row: PlannedRow) => DuckDBValue])[] = [
    ...firstColumns.map(([name, type]) => [types[type], firstValues[name]] as const),
    ...[...table.fields].map(
      ([name, type]) =>
        [types[type], (row: PlannedRow) => row.fitted.values.get(name) ?? null] as const,
    ),
  ]
  const appender = await connection.createAppender(table.name, table.scope)
  try {
    for (let from = 0; from < rows.length; from += chunkRows) {
      const part = rows.slice(from, from + chunkRows)
      const chunk = DuckDBDataChunk.create(
        columns.map(([type]) => type),
        part.length,
      )
      chunk.setColumns(columns.map(([, valueOf]) => part.map(valueOf)))
      appender.appendDataChunk(chunk)
    }
  } finally {
    // Closing writes what is not written yet, into the same transaction.
    appender.closeSync()
  }
}
