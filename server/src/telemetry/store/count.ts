import type { CountRequest } from './protocol.ts'
import { measurementKey } from '../domain/name.ts'
import type { Source } from './read.ts'
import { filesOf, relationOf, type RowRange } from './relation.ts'
import { sealedDir } from './sealed-files.ts'
import { atOneMoment } from './snapshot.ts'

/**
 * Count committed rows. Only the files are opened that may have some, by their times and row numbers, and only these two columns are read: to find that nothing has come to a day that is
 * over costs next to nothing.
 */
export async function countRows(source: Source, request: CountRequest): Promise<number> {
  const { catalog, connection } = source
  const table = catalog.tables.get(measurementKey(request.scope, request.name))
  if (table === undefined || table.committed === null) return 0
  const range: RowRange = { ...request, run: null, upTo: null }
  return atOneMoment(source, request, async (all) => {
    const files = filesOf(all, range)
    const rows = relationOf(table, files, { range, dir: sealedDir(source.dir) })
    const answer = await connection.runAndReadAll(`select count(*)::double from ${rows}`)
    return Number(answer.getRowsJS()[0]?.[0] ?? 0)
  })
}
