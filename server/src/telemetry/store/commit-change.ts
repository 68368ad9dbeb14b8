import type { DuckDBConnection } from '@duckdb/node-api'
import { changeStatements, type SealedChange, type SealedFiles } from './sealed-files.ts'

/** Rows that leave the database with a change of the manifest: the statement that deletes them, and how many there must be. */
export interface LeavingRows {
  readonly sql: string
  readonly rows: number
}

/**
 * Change the manifest in one transaction, together with the rows that leave the database: exactly those that the new file has, or none. Returns false when there
 * are not as many as the file has; then nothing has changed.
 */
export async function commitChange(
  { writing, files }: { readonly writing: DuckDBConnection; readonly files: SealedFiles },
  change: SealedChange,
  leaving?: LeavingRows,
): Promise<boolean> {
  files.announce(change.added)
  await writing.run('begin')
  try {
    for (const statement of changeStatements(change)) await writing.run(statement)
    if (leaving !== undefined) {
      const { rowsChanged } = await writing.run(leaving.sql)
      if (rowsChanged !== leaving.rows) {
        await writing.run('rollback')
        return false
      }
    }
    await writing.run('commit')
  } catch (error) {
    await writing.run('rollback').catch(() => {
      // A failed commit has ended the transaction by itself.
    })
    throw error
  }
  files.apply(change)
  return true
}
