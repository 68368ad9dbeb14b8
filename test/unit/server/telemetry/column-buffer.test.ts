import { DOUBLE, DuckDBDataChunk } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { describe, expect, it } from 'vitest'
import { ColumnBuffer } from '../../../../server/src/telemetry/store/column-buffer.ts'

function flushed(buffer: ColumnBuffer, rows: number): unknown[] {
  const chunk = DuckDBDataChunk.create([DOUBLE], rows)
  buffer.flush(duckdb.data_chunk_get_vector(chunk.chunk, 0), rows)
  return [...(chunk.getColumnValues(0) as unknown[])]
}

describe('the values of a column', () => {
  it('are null in each row that was not written, whatever was there before, and however often others were', () => {
    const buffer = new ColumnBuffer('DOUBLE')
    buffer.doubles.fill(777)
    buffer.mark(0, 64)
    expect(flushed(buffer, 64)).toEqual(Array(64).fill(777))
    for (const [from, until, rows] of [
      [0, 20, 40],
      [1, 33, 33],
      [0, 63, 64],
    ] as const) {
      buffer.mark(from, until)
      buffer.mark(from, until)
      expect(flushed(buffer, rows)).toEqual(
        Array.from({ length: rows }, (_, row) => (row >= from && row < until ? 777 : null)),
      )
    }
  })
})
