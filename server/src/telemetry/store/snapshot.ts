import type { DuckDBConnection } from '@duckdb/node-api'
import { messageOf } from '@community-lab/contract/samples'
import { quoteText } from '../domain/name.ts'
import type { SealedFile } from '../domain/sealing.ts'
import { findDamaged } from './check-files.ts'
import type { MeasurementId } from './protocol.ts'
import type { SealedFiles } from './sealed-files.ts'

/** What is read. */
export interface SnapshotSource {
  readonly connection: DuckDBConnection
  readonly files: SealedFiles
  /** The folder of the store. */
  readonly dir: string
  /** Called with sentences about sealed files that turned out to be damaged. */
  onTrouble(sentences: readonly string[]): void
}

/**
 * Errors that no damaged file causes. What DuckDB says of one depends on the place of the damage.
 *
 * Source: DuckDB's `Exception::ExceptionTypeToString`, the beginning of each message.
 */
const otherFaults =
  /^(?:INTERRUPT|Out of Memory|TransactionContext|Connection|Binder|Catalog|Parser|Permission) Error/u

/** The most attempts to end a transaction: an interrupt that was meant for the query may still come. */
const maxAttempts = 10

/**
 * Read the database and the sealed files of a measurement as they are at one moment: a row that is sealed meanwhile is in exactly one of both. Files that are
 * replaced meanwhile stay until `work` has ended. When it fails, the files are compared with their checksums: damaged ones are set aside, and it is tried again
 * with the rest.
 */
export async function atOneMoment<T>(
  source: SnapshotSource,
  id: MeasurementId,
  work: (files: readonly SealedFile[]) => Promise<T>,
): Promise<T> {
  try {
    return await readOnce(source, id, work)
  } catch (error) {
    if (otherFaults.test(messageOf(error))) throw error
    const { files, dir } = source
    const found = await findDamaged(
      dir,
      files,
      files.of(id).filter(({ fault }) => fault === null),
    )
    if (found.length === 0) throw error
    source.onTrouble(found)
    return await readOnce(source, id, work)
  }
}

async function readOnce<T>(
  { connection, files }: SnapshotSource,
  { scope, name }: MeasurementId,
  work: (files: readonly SealedFile[]) => Promise<T>,
): Promise<T> {
  const release = files.hold()
  try {
    await connection.run('begin')
    try {
      // The first query of a transaction decides which state of the database it sees.
      const answer = await connection.runAndReadAll(
        `select file from main.sealed_files where scope = ${quoteText(scope)} and name = ${quoteText(name)}`,
      )
      const found = answer
        .getRowsJS()
        .flatMap(([file]) => (typeof file === 'string' ? (files.find(file) ?? []) : []))
      return await work(found)
    } finally {
      await end(connection)
    }
  } finally {
    release()
  }
}

async function end(connection: DuckDBConnection): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await connection.run('rollback')
      return
    } catch (error) {
      if (isEnded(error)) return
      if (attempt === maxAttempts) throw error
    }
}

function isEnded(error: unknown): boolean {
  return error instanceof Error && error.message.includes('no transaction is active')
}
