import { decodeNumber, type FieldKind, type FieldValue } from '@community-lab/contract/samples'
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  HUGEINT,
  INTEGER,
  TIMESTAMP,
  VARCHAR,
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBType,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { columnTypes, firstColumns, kindIn, listColumns } from '../domain/layout.ts'
import { appendBlock } from './append-block.ts'
import type { StoredTable } from './catalog.ts'
import {
  chunkRows,
  giveBuffer,
  takeBuffer,
  type ColumnBuffer,
  type ColumnType,
  type FirstColumns,
  type TableColumns,
} from './column-buffer.ts'
import type { PlannedBlock, PlannedPart, PlannedRow } from './commit.ts'

const types = {
  TIMESTAMP,
  VARCHAR,
  INTEGER,
  BIGINT,
  HUGEINT,
  DOUBLE,
  BOOLEAN,
} satisfies Record<ColumnType, DuckDBType>

/** Append rows to a table that has all the columns of their fields. Runs in the transaction of the connection. */
export async function appendRows(
  connection: DuckDBConnection,
  table: StoredTable,
  parts: readonly PlannedPart[],
): Promise<void> {
  const { columns, ordered } = prepare(table)
  const appender = await connection.createAppender(table.name, table.scope)
  let row = 0
  try {
    for (const part of parts)
      for (let from = 0; from < rowsOf(part);) {
        const some = Math.min(rowsOf(part) - from, chunkRows - row)
        if ('section' in part) appendBlock(columns, part, { from, rows: some, at: row })
        else appendRow(columns, table, part, row)
        from += some
        row += some
        if (row < chunkRows) continue
        appendChunk(appender, ordered, row)
        row = 0
      }
    if (row > 0) appendChunk(appender, ordered, row)
  } finally {
    for (const column of ordered) giveBuffer(column)
    // Closing writes the remaining rows, into the same transaction.
    appender.closeSync()
  }
}

/** Return the number of rows of a part. */
export function rowsOf(part: PlannedRow | PlannedBlock): number {
  return 'section' in part ? part.section.rows : 1
}

/** Make the buffers of a table's columns. `ordered`: in the order of the table, which the appender needs. */
function prepare(table: StoredTable): {
  readonly columns: TableColumns
  readonly ordered: readonly ColumnBuffer[]
} {
  const buffers = new Map<string, ColumnBuffer>()
  const take = (column: string, type: ColumnType): ColumnBuffer => {
    const buffer = takeBuffer(type)
    buffers.set(column, buffer)
    return buffer
  }
  const first = Object.fromEntries(firstColumns.map(([name, type]) => [name, take(name, type)]))
  const fields = new Map<string, Partial<Record<FieldKind, ColumnBuffer>>>()
  for (const { column, name, kind } of listColumns(table.fields)) {
    const kinds = fields.get(name) ?? {}
    fields.set(name, kinds)
    kinds[kind] = take(column, columnTypes[kind])
  }
  const ordered = table.columns.flatMap((column) => buffers.get(column) ?? [])
  // Object.fromEntries does not keep the names, which are all there.
  return { columns: { first: first as FirstColumns, fields }, ordered }
}

function appendChunk(
  appender: DuckDBAppender,
  columns: readonly ColumnBuffer[],
  rows: number,
): void {
  const chunk = DuckDBDataChunk.create(
    columns.map(({ type }) => types[type]),
    rows,
  )
  for (const [index, column] of columns.entries())
    column.flush(duckdb.data_chunk_get_vector(chunk.chunk, index), rows)
  appender.appendDataChunk(chunk)
}

function appendRow(
  { first, fields }: TableColumns,
  table: StoredTable,
  { sample, node, nodeId, spool, landed, fitted }: PlannedRow,
  row: number,
): void {
  first.time.putLong(row, sample.timeUs)
  first.node.putText(row, node)
  first.node_id.putInt(row, nodeId)
  first.seq.putLong(row, sample.seq)
  first.spool.putText(row, spool)
  first.landed.putLong(row, landed)
  for (const column of [
    first.time,
    first.node,
    first.node_id,
    first.seq,
    first.spool,
    first.landed,
  ])
    column.mark(row, row + 1)
  if (sample.sliver !== null) putText(first.sliver, row, sample.sliver)
  if (fitted.overflow !== null) putText(first.overflow, row, fitted.overflow)
  for (const [name, value] of fitted.values) {
    const field = table.fields.get(name)
    const column = field === undefined ? undefined : fields.get(name)?.[kindIn(field, value)]
    if (column !== undefined) putValue(column, row, value)
  }
}

function putText(column: ColumnBuffer, row: number, text: string): void {
  column.putText(row, text)
  column.mark(row, row + 1)
}

function putValue(column: ColumnBuffer, row: number, value: FieldValue): void {
  if (typeof value === 'string') column.putText(row, value)
  else if (typeof value === 'boolean') column.bytes[row] = value ? 1 : 0
  else {
    const number = decodeNumber(value)
    if (typeof number === 'bigint') column.putBigInt(row, number)
    else if (column.type === 'HUGEINT') column.putHuge(row, number)
    else column.doubles[row] = number
  }
  column.mark(row, row + 1)
}
