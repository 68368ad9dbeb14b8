import { LabError, messageOf } from '@community-lab/contract'
import { BIGINT, DOUBLE, DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { asTable, type Shown } from '../display/table.ts'
import type { Query } from './query.ts'
import { readResult, resultColumns } from './result.ts'
import { makeScratch } from './scratch.ts'

/** An empty DuckDB in memory. */
export interface MemoryDatabase {
  readonly connection: DuckDBConnection
  /** Make a further connection. It must be closed before the database. */
  connect(): Promise<DuckDBConnection>
  /** Close its first connection and free its memory and files. */
  close(): Promise<void>
}

/** Open an empty DuckDB in memory, whose time zone is UTC. */
export async function openMemory(): Promise<MemoryDatabase> {
  // The folder to which DuckDB spills what does not fit into memory. Its default is the notebook's folder.
  const scratch = await makeScratch()
  // Two threads, because the machine of a notebook has other work too.
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    temp_directory: scratch.folder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  // Days and hours then mean the same on every machine.
  await connection.run(`set global TimeZone = 'UTC'`)
  return {
    connection,
    connect: () => instance.connect(),
    async close() {
      connection.closeSync()
      instance.closeSync()
      await scratch.remove()
    },
  }
}

/** Run a statement that ends when the signal is aborted. */
export async function interruptible<T>(
  connection: DuckDBConnection,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const interrupt = (): void => connection.interrupt()
  signal.addEventListener('abort', interrupt)
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

/** What a query needs besides. */
export interface QueryOptions {
  readonly signal: AbortSignal
  /** The names of the tables, for the error of a query that fails. */
  readonly tables: () => readonly string[]
}

/** Run a query. @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_UNREADABLE. */
export async function runQuery<T extends object>(
  connection: DuckDBConnection,
  query: Query,
  { signal, tables }: QueryOptions,
): Promise<Shown<T>> {
  const { sql, values, types } = query
  try {
    const result = await connection.stream(sql, values, types)
    const columns = resultColumns(result)
    const rows = await readResult<T>(result, signal)
    // The author of the query declares the type of a row. It cannot be checked here.
    return asTable(rows, () =>
      columns.map((name) => ({ name, value: (row: T): unknown => Reflect.get(row, name) })),
    )
  } catch (cause) {
    signal.throwIfAborted()
    if (LabError.is(cause)) throw cause
    const said = messageOf(cause)
    const reason = withHint(said, query)
    throw new LabError('LAB_SQL_FAILED', { reason, tables: tables() }, { cause })
  }
}

/**
 * Return DuckDB's message, without suggestions of its own system tables. Where a number is compared with a time, such as Date.now(), or a text has double
 * quotes, add what to write instead.
 */
function withHint(message: string, { sql, types }: Query): string {
  const said = message.replace(/\nDid you mean "pg_\w+"\?/u, '')
  const [, text] = /^Binder Error: Referenced column "([^"]*)" not found/u.exec(said) ?? []
  if (text !== undefined && sql.includes(`"${text}"`))
    return `${said}\nDouble quotes are for names of columns; write the text as '${text}'`
  const isMixed =
    /\b(?:TIMESTAMP|DATE)\b[^\n]*\b(?:BIGINT|DOUBLE)\b|\b(?:BIGINT|DOUBLE)\b[^\n]*\b(?:TIMESTAMP|DATE)\b/u
  const hasNumber = types.some((type) => type === BIGINT || type === DOUBLE)
  if (!hasNumber || !isMixed.test(said)) return said
  return `${said}\nA time is a Date, not a number: write \${new Date(…)} in place of milliseconds`
}
