import { tableOf } from '../domain/name.ts'
import type { Extent, StoredTable } from './catalog.ts'
import type { Source } from './read.ts'
import { atOneMoment } from './snapshot.ts'

/**
 * Measure the committed rows of each table. A table is read once. From then on commits update its extent, and they continue during the
 * read.
 */
export async function surveyTables(source: Source): Promise<readonly StoredTable[]> {
  const tables = [...source.catalog.tables.values()].filter(({ committed }) => committed !== null)
  for (const table of tables) if (table.extent === null) await survey(source, table)
  return tables
}

/** From here on, commits update the extent. The present rows are added once. */
async function survey(source: Source, table: StoredTable): Promise<void> {
  const { committedLanded } = source.catalog
  const extent: Extent = { rows: 0, firstUs: null, lastUs: null }
  table.extent = extent
  try {
    await atOneMoment(source, table, async (files) => {
      const answer = await source.connection.runAndReadAll(
        `select count(*), epoch_us(min(time)), epoch_us(max(time)) from ${tableOf(table)} where landed <= ${committedLanded}`,
      )
      const [rows, first, last] = answer.getRowsJS()[0] ?? []
      extent.rows += Number(rows ?? 0)
      if (typeof first === 'bigint') widen(extent, Number(first))
      if (typeof last === 'bigint') widen(extent, Number(last))
      for (const file of files) {
        if (file.fault !== null) continue
        extent.rows += file.rows
        widen(extent, file.firstUs)
        widen(extent, file.lastUs)
      }
    })
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
