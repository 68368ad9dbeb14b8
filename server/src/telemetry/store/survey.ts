import type { DuckDBConnection } from '@duckdb/node-api'
import { tableOf } from '../domain/name.ts'
import type { Catalog, Extent, StoredTable } from './catalog.ts'

/**
 * Measure the committed rows of each table. A table is read once. From then on commits update its extent, and they continue during the
 * read.
 */
export async function surveyTables(
  connection: DuckDBConnection,
  catalog: Catalog,
): Promise<readonly StoredTable[]> {
  const tables = [...catalog.tables.values()].filter(({ committed }) => committed !== null)
  for (const table of tables) if (table.extent === null) await survey(connection, table, catalog)
  return tables
}

/** From here on, commits update the extent. The present rows are added once. */
async function survey(
  connection: DuckDBConnection,
  table: StoredTable,
  { committedLanded }: Catalog,
): Promise<void> {
  const extent: Extent = { rows: 0, firstUs: null, lastUs: null }
  table.extent = extent
  try {
    const answer = await connection.runAndReadAll(
      `select count(*), epoch_us(min(time)), epoch_us(max(time)) from ${tableOf(table)} where landed <= ${committedLanded}`,
    )
    const [rows, first, last] = answer.getRowsJS()[0] ?? []
    extent.rows += Number(rows ?? 0)
    if (typeof first === 'bigint') widen(extent, Number(first))
    if (typeof last === 'bigint') widen(extent, Number(last))
  } catch (error) {
    table.extent = null
    throw error
  }
}

/** Extend an extent to a time. */
export function widen(extent: Extent, timeUs: number): void {
  extent.firstUs = Math.min(extent.firstUs ?? timeUs, timeUs)
  extent.lastUs = Math.max(extent.lastUs ?? timeUs, timeUs)
}
