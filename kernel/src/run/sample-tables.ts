import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  clockMeasurement,
  Measurement,
  path as fillRoute,
  routes,
  runFilePartMeasurement,
} from '@community-lab/contract'
import { clockSeconds } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import Type from 'typebox'
import type { Session } from '../session.ts'
import { mapBounded } from '../wait/concurrency.ts'
import { ClockCorrection } from './clock-correction.ts'
import { removeForeign } from './own-rows.ts'
import type { PublishedDays } from './published-days.ts'
import { writeRecorded } from './recorded-tables.ts'
import { makeScratch } from './scratch.ts'
import { hasRunColumn, queryOf, type DeclaredColumns, type Selection } from './selection.ts'
import { quoteIdentifier, quoteText } from './sql-quote.ts'
import { select, typeHere, type TableColumn } from './table-columns.ts'

/** The columns that the server adds to every table. */
const ownColumns = [
  'time timestamptz',
  'node varchar',
  'node_id integer',
  'sliver varchar',
  'seq bigint',
  'spool varchar',
  'landed bigint',
  'overflow varchar',
]

/** A table of samples that exists in the database. */
export interface SampleTable {
  readonly rows: number
  readonly units: ReadonlyMap<string, string | null>
  /** The server's description of the measurement when the table was read. */
  readonly measurement: Measurement
  /** Rows with a greater `landed` are not in the table yet. */
  readonly landed: number
}

const concurrency = 4
/** The tables of an in-memory database, each of which mirrors a measurement of the server. */
export class SampleTables {
  readonly #session: Session
  readonly #selection: Selection
  readonly #connection: DuckDBConnection
  readonly #tables = new Map<string, SampleTable>()
  readonly #clocks: ClockCorrection
  /** Fetched once. What is published meanwhile is in the tables already. */
  #published: PublishedDays | null = null
  /** What decided last which rows without a run are those of the run. */
  #keptBy = ''
  /** The names of the recorded tables, and up to when they are complete; null: not fetched yet. */
  #recorded: { readonly names: readonly string[]; readonly until: Date } | null = null

  constructor(session: Session, selection: Selection, connection: DuckDBConnection) {
    this.#session = session
    this.#selection = selection
    this.#connection = connection
    this.#clocks = new ClockCorrection(session, connection)
  }

  /** The tables by name. */
  get all(): ReadonlyMap<string, SampleTable> {
    return this.#tables
  }

  /**
   * Fetch what has landed at the server since the last time. Only new rows are fetched, unless the columns of a table have changed. A table that the notebook
   * has dropped is made again.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    const { scope } = this.#selection
    this.#published ??= (await this.#selection.published?.(signal)) ?? null
    const there = await this.#names()
    for (const name of this.#tables.keys()) if (!there.has(name)) this.#tables.delete(name)
    const list = Type.Array(Measurement)
    const found = await this.#session.http.ask(list, routes.measurements, { signal })
    const stale = found.filter(
      (measurement) =>
        measurement.scope === scope &&
        // Contents of files are read by themselves.
        measurement.name !== runFilePartMeasurement &&
        !isSame(measurement, this.#tables.get(measurement.name)?.measurement),
    )
    if (stale.length > 0) await this.#loadAll(stale, signal)
    await this.#loadPublished()
    await this.#loadRecorded(signal)
    const declared = Object.keys(this.#selection.tables ?? {})
    if (stale.length > 0 || declared.some((name) => !there.has(name))) await this.#declare()
    await this.#correct({ changed: new Set(stale.map(({ name }) => name)), found, signal })
    await this.#keepOwn(stale.length > 0)
  }

  /** Remove the rows that are not of the run. */
  async #keepOwn(hasNews: boolean): Promise<void> {
    const own = this.#selection.own?.()
    if (own === undefined) return
    const by = `${this.#clocks.fetchedRows} ${JSON.stringify(own)}`
    if (!hasNews && by === this.#keptBy) return
    const hasClocks = this.#clocks.fetchedRows >= 0
    for (const [name, table] of this.#tables) {
      if (hasRunColumn(table.measurement) || !this.#clocks.corrects(name)) continue
      await this.#connection.run(removeForeign(name, own, hasClocks))
      const [rows = 0] = await this.#numbers(`select count(*) from ${quoteIdentifier(name)}`)
      this.#tables.set(name, { ...table, rows })
    }
    this.#keptBy = by
  }

  /** Correct the times of all samples but those that tell of the clocks themselves. */
  async #correct(what: {
    readonly changed: ReadonlySet<string>
    readonly found: readonly Measurement[]
    readonly signal: AbortSignal
  }): Promise<void> {
    const { scope, tables = {} } = this.#selection
    const names = new Set([...this.#tables.keys(), ...Object.keys(tables)])
    if (scope === 'node') names.delete(clockMeasurement)
    // The server has recorded these by its own clock.
    for (const [name, { measurement }] of this.#tables)
      if (measurement.columns.every((column) => column.name !== 'spool')) names.delete(name)
    await this.#clocks.correct([...names], what)
  }

  async #loadAll(stale: readonly Measurement[], signal: AbortSignal): Promise<void> {
    const scratch = await makeScratch()
    const failed: Promise<void>[] = []
    try {
      // When one fails, the others that have begun end first: they must not add their rows during the next refresh.
      await mapBounded(stale, concurrency, async (measurement) => {
        if (failed.length > 0) return
        const file = path.join(scratch.folder, `${measurement.name}.parquet`)
        const load = this.#load(measurement, { file, signal })
        await load.catch(() => void failed.push(load))
      })
      await failed[0]
    } finally {
      await scratch.remove()
    }
  }

  /** Load the tables that are only published, not in the store. */
  async #loadPublished(): Promise<void> {
    for (const [name, table] of this.#published?.tables ?? []) {
      if (this.#tables.has(name)) continue
      const source = await this.#sources(name, null)
      const columns = await this.#columnsOf(source)
      await this.#connection.run(
        `create or replace table ${quoteIdentifier(name)} as select ${select(columns, {})} from ${source} where ${this.#within()}`,
      )
      const [rows = 0] = await this.#numbers(`select count(*) from ${quoteIdentifier(name)}`)
      const { scope } = this.#selection
      const times = { first_time: null, last_time: null }
      this.#tables.set(name, {
        rows,
        landed: 0,
        units: new Map(table.columns.map((column) => [column.name, column.unit])),
        measurement: { scope, name, columns: table.columns, rows: 0, ...times },
      })
    }
  }

  /** Load what the server has recorded since the published days. It is fetched again as long as the period goes on. */
  async #loadRecorded(signal: AbortSignal): Promise<void> {
    const { scope, from, to, recorded } = this.#selection
    if (recorded === undefined || from === undefined) return
    const known = this.#recorded
    const isThere = known?.names.every((name) => this.#tables.has(name)) === true
    if (isThere && to !== undefined && known.until >= to) return
    const until = new Date()
    const published = this.#published?.until ?? null
    const begin = published === null || published < from ? from : published
    if (begin >= (to ?? until)) return
    const tables = await recorded({ from: begin, to }, signal)
    for (const table of tables) {
      const { name } = table
      const isPublished = this.#published?.files.has(name) === true
      const before = isPublished
        ? `from ${await this.#sources(name, null)} where ${this.#within()}`
        : null
      await writeRecorded(this.#connection, table, before)
      const [rows = 0] = await this.#numbers(`select count(*) from ${quoteIdentifier(name)}`)
      const columns = table.columns.map((column) => ({ ...column, unit: null }))
      const times = { first_time: null, last_time: null }
      this.#tables.set(name, {
        ...{ rows, landed: 0, units: new Map() },
        measurement: { scope, name, columns, rows: 0, ...times },
      })
    }
    this.#recorded = { names: tables.map(({ name }) => name), until }
  }

  /** The rows of the published files of a measurement, and of a file of the store, in SQL, each once. */
  async #sources(name: string, stored: string | null): Promise<string> {
    const files = this.#published?.files.get(name) ?? []
    const published = `read_parquet([${files.map(quoteText).join(', ')}], union_by_name = true)`
    if (stored === null) return published
    // Published days are by the server's clock, and what the store has by those of the nodes, so both may have a row.
    const hasNode = (await this.#columnsOf(published)).some((column) => column.name === 'time_node')
    const told = hasNode ? 'coalesce(old.time_node, old.time)' : 'old.time'
    const added = `select late.* from read_parquet(${quoteText(stored)}) late anti join ${published} old
      on late.node_id = old.node_id and late.seq = old.seq and late.time = ${told}`
    return `(from ${published} union all by name ${added})`
  }

  /** The condition for rows of the period. Files of whole days have others, too. */
  #within(): string {
    const { from, to } = this.#selection
    const bounds = [
      ...(from === undefined ? [] : [`time >= ${quoteText(from.toISOString())}::timestamptz`]),
      ...(to === undefined ? [] : [`time < ${quoteText(to.toISOString())}::timestamptz`]),
    ]
    return bounds.length === 0 ? 'true' : bounds.join(' and ')
  }

  async #declare(): Promise<void> {
    for (const [name, columns] of Object.entries(this.#selection.tables ?? {})) {
      const table = quoteIdentifier(name)
      await this.#connection.run(`create table if not exists ${table} (${ownColumns.join(', ')})`)
      for (const [column, type] of Object.entries(columns))
        await this.#connection.run(
          `alter table ${table} add column if not exists ${quoteIdentifier(column)} ${type}`,
        )
    }
  }

  async #load(measurement: Measurement, to: FetchOptions): Promise<void> {
    const known = this.#tables.get(measurement.name)
    const isLonger = known !== undefined && measurement.rows >= known.measurement.rows
    if (!isLonger || !(await this.#append(measurement, known, to)))
      await this.#replace(measurement, to)
    const table = quoteIdentifier(measurement.name)
    const [count = 0, landed = 0] = await this.#numbers(
      `select count(*), coalesce(max(landed), 0) from ${table}`,
    )
    this.#tables.set(measurement.name, {
      rows: count,
      landed,
      units: new Map([
        ...clockSeconds.map((column) => [column, 's'] as const),
        ...measurement.columns.map((column) => [column.name, column.unit] as const),
      ]),
      measurement,
    })
  }

  /** Add new rows to a table. Returns false when the whole table must be read again: a column has another type, or the notebook has changed the table. */
  async #append(
    measurement: Measurement,
    { landed }: SampleTable,
    to: FetchOptions,
  ): Promise<boolean> {
    await this.#fetch(measurement, { ...to, after: landed })
    const source = `read_parquet(${quoteText(to.file)})`
    const columns = await this.#columnsOf(source)
    const table = quoteIdentifier(measurement.name)
    const declared = this.#declaredOf(measurement)
    try {
      const there = new Map(
        (await this.#columnsOf(table)).map((column) => [column.name, column.type]),
      )
      const added = columns.filter(({ name }) => !there.has(name))
      const isOther = columns.some(
        (column) => there.has(column.name) && there.get(column.name) !== typeHere(column, declared),
      )
      if (isOther) return false
      for (const column of added)
        await this.#connection.run(
          `alter table ${table} add column ${quoteIdentifier(column.name)} ${typeHere(column, declared)}`,
        )
      // An older server does not know "after" and sends all rows again. The table itself tells of rows whose addition was interrupted before it was noted.
      const [last = 0] = await this.#numbers(`select coalesce(max(landed), 0) from ${table}`)
      await this.#connection.run(
        `insert into ${table} by name select ${select(columns, declared)} from ${source} where landed > ${Math.max(landed, last)}`,
      )
      return true
    } catch (error) {
      to.signal.throwIfAborted()
      // The notebook may have changed the table. A table to which rows cannot be added is read again as a whole. Any other problem makes that fail too.
      if (error instanceof Error) return false
      throw error
    }
  }

  async #replace(measurement: Measurement, to: FetchOptions): Promise<void> {
    await this.#fetch(measurement, { ...to, after: 0 })
    const isPublished = this.#published?.files.has(measurement.name) === true
    const source = isPublished
      ? await this.#sources(measurement.name, to.file)
      : `read_parquet(${quoteText(to.file)})`
    const columns = await this.#columnsOf(source)
    const rows = isPublished ? `${source} where ${this.#within()}` : source
    await this.#connection.run(
      `create or replace table ${quoteIdentifier(measurement.name)} as select ${select(columns, this.#declaredOf(measurement))} from ${rows}`,
    )
  }

  #declaredOf({ name }: Measurement): DeclaredColumns {
    return this.#selection.tables?.[name] ?? {}
  }

  async #fetch(
    measurement: Measurement,
    { file, signal, after }: FetchOptions & { readonly after: number },
  ): Promise<void> {
    const { scope, name } = measurement
    const query = {
      ...queryOf(this.#selection, measurement, this.#storeFrom(name)),
      ...(after === 0 ? {} : { after: String(after) }),
    }
    const route = fillRoute(routes.measurementParquet, { scope, name })
    const accept = 'application/vnd.apache.parquet'
    const { body } = await this.#session.http.open(route, { accept, query, signal })
    await pipeline(body, createWriteStream(file), { signal })
  }

  /** From when on the rows of a measurement are read from the store: what is published before is in files. */
  #storeFrom(name: string): Date | undefined {
    const { from } = this.#selection
    const published = this.#published
    if (published === null || published.until === null || !published.files.has(name)) return from
    const marginMs = name === clockMeasurement ? 0 : published.marginMs
    const begin = new Date(published.until.getTime() - marginMs)
    return from === undefined || from < begin ? begin : from
  }

  /** Return the names of existing tables and views. */
  async #names(): Promise<ReadonlySet<unknown>> {
    const reader = await this.#connection.runAndReadAll(
      'select table_name from duckdb_tables() union all select view_name from duckdb_views() where not internal',
    )
    return new Set(reader.getRowsJS().map(([name]) => name))
  }

  async #columnsOf(source: string): Promise<readonly TableColumn[]> {
    const reader = await this.#connection.runAndReadAll(`describe from ${source}`)
    return reader
      .getRowsJS()
      .flatMap(([name, type]) =>
        typeof name === 'string' && typeof type === 'string' ? [{ name, type }] : [],
      )
  }

  async #numbers(sql: string): Promise<readonly number[]> {
    const reader = await this.#connection.runAndReadAll(sql)
    return reader.getRowsJS()[0]?.map(Number) ?? []
  }
}

interface FetchOptions {
  readonly file: string
  readonly signal: AbortSignal
}

function isSame(now: Measurement, then: Measurement | undefined): boolean {
  return (
    then !== undefined &&
    now.rows === then.rows &&
    now.last_time === then.last_time &&
    now.columns.length === then.columns.length
  )
}
