import type { DuckDBConnection } from '@duckdb/node-api'
import { changeStatements, type SealedChange, type SealedFiles } from './sealed-files.ts'

/** What else is in the transaction of a change of the manifest. */
export interface ChangedRows {
  /** Rows that leave the database: the statement that deletes them, and how many there must be. */
  readonly leaving?: { readonly sql: string; readonly rows: number }
  /** Statements that tell of rows that are removed. */
  readonly told?: readonly string[]
}

/**
 * Change the manifest in one transaction, together with the rows that leave the database: exactly those that the new file has, or none. Returns false when there
 * are not as many as the file has; then nothing has changed.
 */
export async function commitChange(
  { writing, files }: { readonly writing: DuckDBConnection; readonly files: SealedFiles },
  change: SealedChange,
  { leaving, told = [] }: ChangedRows = {},
): Promise<boolean> {
  files.announce(change.added)
  await writing.run('begin')
  try {
    for (const statement of [...changeStatements(change), ...told]) await writing.run(statement)
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
