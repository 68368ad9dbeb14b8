import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  clockMeasurement,
  path as fillRoute,
  routes,
  type Measurement,
} from '@community-lab/contract'
import { clockColumns, correctTimes, createClockTables } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Session } from '../session.ts'
import { makeScratch } from './scratch.ts'
import { quoteIdentifier, quoteText } from './sql-quote.ts'

/** What of the clocks is fetched around the samples, in milliseconds. An agent that runs tells of its clock each minute. */
const marginMs = 3_600_000

/** Corrects the times of tables of samples by what the nodes tell of their clocks. See `clockColumns`. */
export class ClockCorrection {
  readonly #session: Session
  readonly #connection: DuckDBConnection
  /** What the server had of the clocks when they were fetched last. */
  #rows = -1
  #landed = 0
  /** The earliest time of a clock that was fetched. */
  #fromMs = Infinity
  readonly #prepared = new Set<string>()

  constructor(session: Session, connection: DuckDBConnection) {
    this.#session = session
    this.#connection = connection
  }

  /** Whether a table has the columns of clocks. */
  corrects(table: string): boolean {
    return this.#prepared.has(table)
  }

  /** How many rows of clocks the server had when they were fetched last; -1: none were. */
  get fetchedRows(): number {
    return this.#rows
  }

  /** Add the columns of clocks to a table, unless its samples have columns of the same names, or the notebook has put a view in its place. Returns whether it has them now. */
  async #prepare(table: string): Promise<boolean> {
    const name = quoteIdentifier(table)
    const reader = await this.#connection.runAndReadAll(
      `select column_name, data_type from duckdb_columns() where schema_name = 'main' and table_name = ${quoteText(table)}
       and table_name in (select table_name from duckdb_tables() where schema_name = 'main')`,
    )
    const there = new Map(reader.getRowsJS().map(([column, type]) => [column, type]))
    const wanted = Object.entries(clockColumns)
    const isOther = wanted.some(([column, type]) => there.has(column) && there.get(column) !== type)
    if (there.get('time') !== clockColumns['time_node'] || isOther) return false
    for (const [column, type] of wanted.filter(([column]) => !there.has(column)))
      await this.#connection.run(`alter table ${name} add column ${column} ${type}`)
    await this.#connection.run(`update ${name} set time_node = time where time_node is null`)
    return true
  }

  /**
   * Correct the times in tables. `changed` are those that have new rows; the others are corrected where something new is known of a clock.
   * @param found - the server's list of measurements
   */
  async correct(
    tables: readonly string[],
    {
      changed,
      found,
      signal,
    }: {
      readonly changed: ReadonlySet<string>
      readonly found: readonly Measurement[]
      readonly signal: AbortSignal
    },
  ): Promise<void> {
    const news = tables.filter((table) => changed.has(table) || !this.#prepared.has(table))
    const clock = found.find(({ scope, name }) => scope === 'node' && name === clockMeasurement)
    if (news.length === 0 && (clock === undefined || clock.rows === this.#rows)) return
    for (const table of news)
      if (await this.#prepare(table)) this.#prepared.add(table)
      else this.#prepared.delete(table)
    const prepared = tables.filter((table) => this.#prepared.has(table))
    const fromMs = await this.#firstTime(prepared)
    if (clock === undefined || fromMs === Infinity) return
    const isFetched = clock.rows !== this.#rows || fromMs < this.#fromMs
    if (isFetched) await this.#fetch(clock, { fromMs, signal })
    for (const table of prepared)
      if (isFetched || news.includes(table))
        await this.#connection.run(correctTimes(quoteIdentifier(table)))
  }

  async #firstTime(tables: readonly string[]): Promise<number> {
    let firstMs = Infinity
    for (const table of tables) {
      const reader = await this.#connection.runAndReadAll(
        `select epoch_ms(min(time_node)) from ${quoteIdentifier(table)}`,
      )
      const [[first] = []] = reader.getRowsJS()
      if (first !== null && first !== undefined) firstMs = Math.min(firstMs, Number(first))
    }
    return firstMs
  }

  async #fetch(
    clock: Measurement,
    { fromMs, signal }: { readonly fromMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const isEarlier = fromMs < this.#fromMs
    const from = isEarlier ? fromMs - marginMs : this.#fromMs
    const after = isEarlier ? 0 : this.#landed
    const scratch = await makeScratch()
    try {
      const file = path.join(scratch.folder, 'clock.parquet')
      const { scope, name } = clock
      const route = fillRoute(routes.measurementParquet, { scope, name })
      const query = {
        from: new Date(from).toISOString(),
        ...(after === 0 ? {} : { after: String(after) }),
      }
      const accept = 'application/vnd.apache.parquet'
      const { body } = await this.#session.http.open(route, { accept, query, signal })
      await pipeline(body, createWriteStream(file), { signal })
      const source = `read_parquet(${quoteText(file)})`
      for (const sql of createClockTables(source, { isWhole: after === 0 }))
        await this.#connection.run(sql)
      const reader = await this.#connection.runAndReadAll(
        'select coalesce(max(landed), 0) from testbed.clock',
      )
      this.#landed = Number(reader.getRowsJS()[0]?.[0] ?? 0)
      this.#rows = clock.rows
      this.#fromMs = from
    } finally {
      await scratch.remove()
    }
  }
}
