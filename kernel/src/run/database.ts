import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { checkArgument, localFile, words } from '../argument.ts'
import { asTable, type Shown } from '../display/table.ts'
import { localPath } from '@community-lab/contract/files'
import type { Session } from '../session.ts'
import { call } from '../wait/call.ts'
import { anySignal, orAborted } from '../wait/signal.ts'
import { interruptible, openMemory, runQuery, type QueryOptions } from './duckdb.ts'
import { buildQuery } from './query.ts'
import { SampleTables, type SampleTable } from './sample-tables.ts'
import type { Selection } from './selection.ts'
import { quoteIdentifier, quoteText } from './sql-quote.ts'
import type { Row, SqlValue } from './value.ts'

/** A table that was written to a file. */
export interface WrittenTable {
  readonly name: string
  readonly file: string
  readonly rows: number
  readonly sha256: string
  /** `type` is DuckDB's. `unit` is null when there is none or it is not known. */
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly unit: string | null
  }[]
}

interface OpenDatabase {
  readonly connection: DuckDBConnection
  readonly tables: SampleTables
  /** The tables of the database `context`; null: there is none. */
  readonly context: SampleTables | null
  close(): Promise<void>
}

/**
 * An in-memory DuckDB with the selected samples: a table for each measurement. Before each query it fetches the samples that have landed at the server since.
 * Its times have a zone, and its time zone is UTC on every machine.
 *
 * Calls run one after another, because a table must not change during a query. An interrupt ends the running query and does not change the database.
 */
export class SampleDatabase {
  readonly #session: Session
  readonly #selection: Selection
  readonly #context: Selection | null
  #open: Promise<OpenDatabase> | null = null
  #closing = new AbortController()
  #last: Promise<unknown> = Promise.resolve()

  /** `context`: the samples of a second database in it, which queries call `context`. */
  constructor(session: Session, selection: Selection, context: Selection | null = null) {
    this.#session = session
    this.#selection = selection
    this.#context = context
    session.onClose(() => this.close())
  }

  /** List the measurements in it, with the number of selected samples of each. */
  tables(): Promise<readonly { readonly name: string; readonly rows: number }[]> {
    return this.#enqueue((open) =>
      Promise.resolve(namesOf(open).map(([name, { rows }]) => ({ name, rows }))),
    )
  }

  /**
   * Run a query that is given as a tagged template.
   *
   * @throws {@link LabError} LAB_SQL_FAILED, LAB_SQL_INVALID, LAB_SQL_UNREADABLE, LAB_ARGUMENT_INVALID.
   */
  async query<T extends object = Row>(
    strings: TemplateStringsArray,
    values: readonly SqlValue[],
  ): Promise<Shown<T>> {
    const query = buildQuery(strings, values)
    return this.#enqueue((open, signal) => runQuery<T>(open.connection, query, asked(open, signal)))
  }

  /** Return the rows of a measurement whose `landed` is greater than the given one, in that order; none when the measurement does not exist. */
  rowsAfter(name: string, landed: number): Promise<readonly Row[]> {
    return this.#enqueue(async (open, signal) => {
      if (!open.tables.all.has(name)) return []
      const sql = `from ${quoteIdentifier(name)} where landed > ${landed} order by landed`
      return runQuery<Row>(open.connection, { sql, values: [], types: [] }, asked(open, signal))
    })
  }

  /** Write one table to a Parquet file, which appears when it is complete. @throws {@link LabError} LAB_SQL_FAILED when there is no such table. */
  writeParquet(name: string, given: string): Promise<WrittenTable> {
    const file = localPath(given)
    return this.#enqueue(async (open, signal) => {
      const table = quoteIdentifier(name)
      const run = <T extends object>(sql: string): Promise<Shown<T>> =>
        runQuery<T>(open.connection, { sql, values: [], types: [] }, asked(open, signal))
      const columns = await run<{ column_name: string; column_type: string }>(`describe ${table}`)
      const hasLanded = columns.some(({ column_name: column }) => column === 'landed')
      await mkdir(path.dirname(path.resolve(file)), { recursive: true })
      // Parquet has no HUGEINT, and DuckDB would round it.
      const kept = columns.map(({ column_name: column, column_type: type }) =>
        type === 'HUGEINT'
          ? `${quoteIdentifier(column)}::decimal(38, 0) as ${quoteIdentifier(column)}`
          : quoteIdentifier(column),
      )
      const draft = `${file}.part`
      try {
        await run(
          `copy (select ${kept.join(', ')} from ${table}${hasLanded ? ' order by landed' : ''}) to ${quoteText(draft)} (format parquet, compression zstd)`,
        )
        await rename(draft, file)
      } finally {
        await rm(draft, { force: true })
      }
      const hash = createHash('sha256')
      await pipeline(createReadStream(file), hash)
      const loaded = open.tables.all.get(name)
      const [counted] = await run<{ n: number }>(`select count(*) as n from ${table}`)
      return {
        name,
        file: path.basename(file),
        rows: counted?.n ?? 0,
        sha256: hash.digest('hex'),
        columns: columns.map((column) => ({
          name: column.column_name,
          type: column.column_type,
          unit: loaded?.units.get(column.column_name) ?? null,
        })),
      }
    })
  }

  /** Free the memory and the files of the database. A running query ends. A later query fetches everything again. */
  async close(): Promise<void> {
    this.#closing.abort(new DOMException('the database was closed', 'AbortError'))
    this.#closing = new AbortController()
    const open = this.#open
    this.#open = null
    // Wait for running work, which was told to end: it must not use a closed connection.
    await this.#last
    // A database that failed to open needs no closing. The call that opened it has thrown the error.
    await open?.then(
      (opened) => opened.close(),
      () => undefined,
    )
  }

  /** Run calls one after another. An interrupted caller returns at once; its work ends before the next work begins. */
  #enqueue<T>(work: (open: OpenDatabase, signal: AbortSignal) => Promise<T>): Promise<T> {
    const lab = anySignal(this.#session.signal, this.#closing.signal)
    return call({ lab }, (signal) => {
      const result = this.#last.then(async () => {
        signal.throwIfAborted()
        const open = await this.#opened()
        return interruptible(open.connection, signal, async () => {
          await open.tables.refresh(signal)
          await open.context?.refresh(signal)
          return work(open, signal)
        })
      })
      // The caller receives this failure. It does not stop the next call.
      this.#last = result.catch(() => undefined)
      return orAborted(result, signal)
    })
  }

  #opened(): Promise<OpenDatabase> {
    const open = this.#open ?? openDatabase(this.#session, this.#selection, this.#context)
    this.#open = open
    open.catch(() => {
      // The next call opens it again.
      if (this.#open === open) this.#open = null
    })
    return open
  }
}

function asked(open: OpenDatabase, signal: AbortSignal): QueryOptions {
  return { signal, tables: () => namesOf(open).map(([name]) => name) }
}

/** The tables by the names that queries have for them. */
function namesOf({ tables, context }: OpenDatabase): readonly (readonly [string, SampleTable])[] {
  const others = [...(context?.all ?? [])].map(
    ([name, table]) => [`context.${name}`, table] as const,
  )
  return [...tables.all, ...others]
}

async function openDatabase(
  session: Session,
  selection: Selection,
  context: Selection | null,
): Promise<OpenDatabase> {
  const memory = await openMemory()
  const { connection } = memory
  let contextConnection: DuckDBConnection | null = null

  /** A database beside the first: both may have tables of the same names. */
  async function openContext(beside: Selection): Promise<SampleTables> {
    await connection.run(`attach ':memory:' as context`)
    contextConnection = await memory.connect()
    await contextConnection.run('use context')
    return new SampleTables(session, beside, contextConnection)
  }

  return {
    connection,
    tables: new SampleTables(session, selection, connection),
    context: context === null ? null : await openContext(context),
    async close() {
      contextConnection?.closeSync()
      await memory.close()
    },
  }
}

/** How errors name the folder of a dataset. */
export const exportArgument = 'the folder to export to'

/** Check what to write, and where. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function checkParquet(name: unknown, file: unknown): void {
  checkArgument('the measurement', name, words)
  checkArgument('the file to write', file, localFile)
}

/** Write several tables to Parquet files, and a manifest that describes them. */
export async function writeDataset(
  database: SampleDatabase,
  given: string,
  about: Readonly<Record<string, unknown>>,
): Promise<Shown<WrittenTable>> {
  const folder = localPath(given)
  await mkdir(folder, { recursive: true })
  const written: WrittenTable[] = []
  for (const { name, rows } of await database.tables())
    if (rows > 0)
      written.push(await database.writeParquet(name, path.join(folder, `${name}.parquet`)))
  const manifest = { ...about, written_on: new Date().toISOString(), tables: written }
  await writeFile(path.join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return asTable(written, () => [
    { name: 'table', value: ({ name }) => name },
    { name: 'file', value: ({ file }) => path.join(folder, file) },
    { name: 'rows', value: ({ rows }) => rows },
  ])
}
