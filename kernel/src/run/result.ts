import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { DuckDBResult, DuckDBValue } from '@duckdb/node-api'
import { readColumn } from './column.ts'

/** Between two looks at the signal and at everything else that waits, in rows. */
const rowsAtOnce = 20_000

/** The names of a result's columns in their order; the second of two `a` is `a:1`. */
export function resultColumns(result: DuckDBResult): readonly string[] {
  return result.deduplicatedColumnNames()
}

/** Read all rows of a result as objects. Gives way to others in between, and rejects with the signal's reason. */
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
    // The query's author says what a row is; nothing here can check it.
    rows.push(Object.fromEntries(entries) as T)
    if (row % rowsAtOnce === rowsAtOnce - 1) {
      await yieldToOthers()
      signal.throwIfAborted()
    }
  }
  return rows
}
