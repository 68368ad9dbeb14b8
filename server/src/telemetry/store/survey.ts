import type { DuckDBConnection } from '@duckdb/node-api'
import { tableOf } from '../domain/name.ts'
import type { Catalog, Extent, StoredTable } from './catalog.ts'

/**
 * Find out how much each table holds that is committed. A table is read once; from then on its extent is brought up to date by the commits, which go on
 * meanwhile.
 */
export async function surveyTables(
  connection: DuckDBConnection,
  catalog: Catalog,
): Promise<readonly StoredTable[]> {
  const tables = [...catalog.tables.values()].filter(({ committed }) => committed !== null)
  for (const table of tables) if (table.extent === null) await survey(connection, table, catalog)
  return tables
}

/** Commits add to the extent from here on, so the rows that are there now are added once. */
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

/** Let a time be in an extent. */
export function widen(extent: Extent, timeUs: number): void {
  extent.firstUs = Math.min(extent.firstUs ?? timeUs, timeUs)
  extent.lastUs = Math.max(extent.lastUs ?? timeUs, timeUs)
}
