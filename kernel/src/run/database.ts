import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { LabError, Measurement, path as fillRoute, routes } from '@community-lab/contract'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import Type from 'typebox'
import { asTable, rowColumns, type Shown } from '../display/table.ts'
import type { Session } from '../session.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { joinSignals, orAborted } from '../wait/signal.ts'
import { bindValue, buildQuery, readValue, type Row, type SqlValue } from './value.ts'

/** Which samples a database holds. */
export interface Selection {
  /** `node`, or `slice-<id>`. */
  readonly scope: string
  /** Samples of this run alone. */
  readonly run?: string
  readonly from?: Date
  readonly to?: Date
}

/** A table that was written to a file. */
export interface WrittenTable {
  readonly name: string
  readonly file: string
  readonly rows: number
  readonly sha256: string
  /** `type` is DuckDB's; `unit` null: it has none, or it is not known. */
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly unit: string | null
  }[]
}

interface Loaded {
  readonly version: string
  readonly rows: number
  readonly units: ReadonlyMap<string, string | null>
}

const concurrency = 4

/**
 * A DuckDB of its own, in memory, that holds the samples selected: a table for each measurement. Before each query it fetches what has landed at the server
 * since.
 */
export class SampleDatabase {
  readonly #session: Session
  readonly #selection: Selection
  readonly #loaded = new Map<string, Loaded>()
  #open: Promise<{ readonly connection: DuckDBConnection; readonly folder: string }> | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(session: Session, selection: Selection) {
    this.#session = session
    this.#selection = selection
  }

  /** The measurements in it, with how many of the samples selected each has. */
  tables(): Promise<readonly { readonly name: string; readonly rows: number }[]> {
    return this.#inTurn(async () => {
      await this.#refresh()
      return [...this.#loaded].map(([name, { rows }]) => ({ name, rows }))
    })
  }

  /** Run a query of a tagged template. @throws {@link LabError} LAB_SQL_FAILED, LAB_ARGUMENT_INVALID. */
  query<T extends object = Row>(
    strings: readonly string[],
    values: readonly SqlValue[],
  ): Promise<Shown<T>> {
    return this.#inTurn(async () => {
      const bound = values.map((value, index) => bindValue(value, index + 1))
      const { connection } = await this.#refresh()
      return this.#run<T>(connection, buildQuery(strings), bound)
    })
  }

  /** Write one table as Parquet. @throws {@link LabError} LAB_SQL_FAILED when there is no such table. */
  writeParquet(name: string, file: string): Promise<WrittenTable> {
    return this.#inTurn(async () => {
      const { connection, folder } = await this.#refresh()
      const table = `"${name.replaceAll('"', '""')}"`
      const columns = await this.#run<{ column_name: string; column_type: string }>(
        connection,
        `describe ${table}`,
      )
      const order = columns.some(({ column_name: column }) => column === 'landed')
        ? ' order by landed'
        : ''
      const draft = path.join(folder, 'written.parquet')
      await this.#run(
        connection,
        `copy (from ${table}${order}) to '${draft.replaceAll("'", "''")}' (format parquet, compression zstd)`,
      )
      await mkdir(path.dirname(path.resolve(file)), { recursive: true })
      await copyFile(draft, file)
      const hash = createHash('sha256')
      await pipeline(createReadStream(file), hash)
      const loaded = this.#loaded.get(name)
      return {
        name,
        file: path.basename(file),
        rows: loaded?.rows ?? 0,
        sha256: hash.digest('hex'),
        columns: columns.map((column) => ({
          name: column.column_name,
          type: column.column_type,
          unit: loaded?.units.get(column.column_name) ?? null,
        })),
      }
    })
  }

  /** One thing at a time: a table must not be replaced under a query. The notebook's interrupt gives up the waiting. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    // The next in turn does not care how this one ended; its own caller does.
    this.#last = turn.catch(() => undefined)
    return orAborted(turn, joinSignals(this.#session.signal))
  }

  async #refresh(): Promise<{ readonly connection: DuckDBConnection; readonly folder: string }> {
    this.#open ??= openDatabase(this.#session)
    const open = await this.#open
    const all = await this.#session.http.ask(Type.Array(Measurement), routes.measurements)
    const stale = all.filter(
      (found) =>
        found.scope === this.#selection.scope &&
        this.#loaded.get(found.name)?.version !== versionOf(found),
    )
    await mapBounded(stale, concurrency, (measurement) => this.#load(open, measurement))
    return open
  }

  async #load(
    { connection, folder }: { readonly connection: DuckDBConnection; readonly folder: string },
    measurement: Measurement,
  ): Promise<void> {
    const { scope, name, columns } = measurement
    const { run, from, to } = this.#selection
    const hasRun = columns.some((column) => column.name === 'run')
    const query = {
      ...(run !== undefined && hasRun ? { run } : {}),
      // What a program wrote without a run is taken by its time.
      ...(from !== undefined && (run === undefined || !hasRun) ? { from: from.toISOString() } : {}),
      ...(to === undefined ? {} : { to: to.toISOString() }),
    }
    const file = path.join(folder, `${name}.parquet`)
    const route = fillRoute(routes.measurementParquet, { scope, name })
    const { body } = await this.#session.http.open(route, {
      accept: 'application/vnd.apache.parquet',
      query,
    })
    await pipeline(body, createWriteStream(file))
    const table = `"${name}"`
    await connection.run(
      `create or replace table ${table} as from read_parquet('${file.replaceAll("'", "''")}')`,
    )
    await rm(file)
    const [counted] = await this.#run<{ n: number }>(
      connection,
      `select count(*) as n from ${table}`,
    )
    this.#loaded.set(name, {
      version: versionOf(measurement),
      rows: counted?.n ?? 0,
      units: new Map(columns.map((column) => [column.name, column.unit])),
    })
  }

  async #run<T extends object>(
    connection: DuckDBConnection,
    sql: string,
    values: Parameters<DuckDBConnection['runAndReadAll']>[1] = [],
  ): Promise<Shown<T>> {
    try {
      const reader = await connection.runAndReadAll(sql, values)
      const rows = reader
        .getRowObjectsJS()
        .map((row) =>
          Object.fromEntries(Object.entries(row).map(([key, value]) => [key, readValue(value)])),
        )
      // What a query gives is for who wrote it to say.
      return asTable(rows as T[], () => rowColumns(rows as T[]))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const tables = [...this.#loaded.keys()]
      throw new LabError('LAB_SQL_FAILED', { reason, tables }, { cause })
    }
  }
}

function versionOf({ rows, last_time: lastTime, columns }: Measurement): string {
  return `${rows} ${lastTime ?? ''} ${columns.length}`
}

async function openDatabase(
  session: Session,
): Promise<{ readonly connection: DuckDBConnection; readonly folder: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'community-lab-'))
  // Two threads: a notebook's machine runs other things as well.
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  session.onClose(async () => {
    connection.closeSync()
    instance.closeSync()
    await rm(folder, { recursive: true, force: true })
  })
  return { connection, folder }
}

/** Write several tables and a manifest that says what they are. */
export async function writeDataset(
  database: SampleDatabase,
  folder: string,
  about: Readonly<Record<string, unknown>>,
): Promise<Shown<WrittenTable>> {
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
