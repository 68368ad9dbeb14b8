import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { DuckDBResult, DuckDBValue } from '@duckdb/node-api'
import { readColumn } from './column.ts'

/** After this many rows, the reader checks the signal and lets other work run. */
const rowsAtOnce = 20_000

/** Return the names of a result's columns, in order. The second of two columns `a` is named `a:1`. */
export function resultColumns(result: DuckDBResult): readonly string[] {
  return result.deduplicatedColumnNames()
}

/** Read all rows of a result as objects. Lets other work run in between. Rejects with the signal's reason. */
export async function readResult<T extends object>(
  result: DuckDBResult,
  signal: AbortSignal,
): Promise<T[]> {
  const names = resultColumns(result)
  const columns: DuckDBValue[][] = names.map(() => [])
  for (;;) {
    const chunk = await result.fetchChunk()
    signal.throwIfAborted()
    if (chunk === null || chunk.rowCount === 0) break
    chunk.appendToColumns(columns)
  }
  const values = new Map<string, unknown[]>()
  for (const [index, name] of names.entries()) {
    values.set(name, readColumn(name, columns[index] ?? []))
    await yieldToOthers()
    signal.throwIfAborted()
  }
  const rows: T[] = []
  const count = columns[0]?.length ?? 0
  for (let row = 0; row < count; row++) {
    const entries = names.map((name) => [name, values.get(name)?.[row]] as const)
    // The author of the query declares the type of a row. It cannot be checked here.
    rows.push(Object.fromEntries(entries) as T)
    if (row % rowsAtOnce === rowsAtOnce - 1) {
      await yieldToOthers()
      signal.throwIfAborted()
    }
  }
  return rows
}
