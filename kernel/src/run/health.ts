import { inspect } from 'node:util'
import { LabError, nodeMeasurements, pointColumnTypes } from '@community-lab/contract'
import {
  checkArgument,
  checkOptions,
  checkSignal,
  date,
  jsonObject,
  localFile,
  words,
} from '../argument.ts'
import type { Session } from '../session.ts'
import type { Shown } from '../display/table.ts'
import { formatTime } from '../display/time.ts'
import { callEach } from '../wait/call.ts'
import {
  checkParquet,
  exportArgument,
  SampleDatabase,
  writeDataset,
  type WrittenTable,
} from './database.ts'
import { fetchPublishedDays, type PublishedDays } from './published-days.ts'
import { fetchRecorded, type RecordedPeriod } from './recorded-tables.ts'
import { readRows, rowStream, type RowStream } from './row-stream.ts'
import type { Row, SqlValue } from './value.ts'

/** The period. */
export interface HealthOptions {
  /** Default: one hour before `to`, or before now. */
  readonly from?: Date
  /** Default: no end. */
  readonly to?: Date
}

const scope = 'node'
const defaultSpanMs = 3_600_000
/** What nodes measure has its table also while there is no sample of it: a query then has no rows, and does not fail. */
const tables = Object.fromEntries(
  Object.entries(nodeMeasurements).map(([name, fields]) => [
    name,
    Object.fromEntries(
      Object.entries(fields).map(([field, kind]) => [field, pointColumnTypes[kind]] as const),
    ),
  ]),
)

/** Require that a period ends after it begins. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
function requireOrder(from: Date, to: Date): void {
  if (to > from) return
  const expected = `a time after from, ${from.toISOString()}`
  throw new LabError('LAB_ARGUMENT_INVALID', { argument: 'to', found: to.toISOString(), expected })
}

/**
 * What the nodes measure of themselves, and beside it what the server has recorded: `node_states` and `sliver_use`. The finished days of the period come from the public dataset, whose
 * files are kept on this machine; what is later from the server.
 */
export class HealthSamples {
  readonly #session: Session
  readonly #database: SampleDatabase
  readonly #period: string

  constructor(session: Session, options: HealthOptions = {}) {
    checkOptions('health', options, { from: date, to: date })
    const from = options.from ?? new Date((options.to?.getTime() ?? Date.now()) - defaultSpanMs)
    if (options.to !== undefined) requireOrder(from, options.to)
    this.#session = session
    const to = options.to === undefined ? {} : { to: options.to }
    const until = options.to === undefined ? 'on' : `to ${formatTime(options.to)}`
    this.#period = `from ${formatTime(from)} ${until}`
    const published = (signal: AbortSignal): Promise<PublishedDays> =>
      fetchPublishedDays(session, { from, to: options.to ?? new Date(), signal })
    const recorded = (period: RecordedPeriod, signal: AbortSignal) =>
      fetchRecorded(session, period, signal)
    const selection = { scope, from, ...to, published, recorded, tables }
    this.#database = new SampleDatabase(session, selection)
  }

  /** Run a query in their database (DuckDB), which has a table for each measurement, such as `node_health`. See `Run.sql`. */
  sql<T extends object = Row>(
    strings: TemplateStringsArray,
    ...values: readonly SqlValue[]
  ): Promise<Shown<T>> {
    return this.#database.query<T>(strings, values)
  }

  /** The rows of a measurement, beginning with the first that the server still has; then new rows as they land, without an end. */
  rows(name: string, options: { readonly signal?: AbortSignal } = {}): RowStream {
    checkArgument('the measurement', name, words)
    checkSignal('rows', options)
    const { signal } = options
    const session = this.#session
    const read = async function* (until: AbortSignal): AsyncGenerator<Row> {
      for await (const { rows } of readRows(session, { scope, name, signal: until })) yield* rows
    }
    return rowStream(() => callEach({ lab: session.signal, signal }, read))
  }

  /** List the measurements, with the number of samples of each. */
  tables(): Promise<readonly { readonly name: string; readonly rows: number }[]> {
    return this.#database.tables()
  }

  /** Write one measurement to a Parquet file. */
  async parquet(name: string, file: string): Promise<WrittenTable> {
    checkParquet(name, file)
    return this.#database.writeParquet(name, file)
  }

  /** Write all measurements into a folder: a Parquet file for each, and `manifest.json`, which describes them and contains `about`. JSON must be able to express `about`. */
  async export(
    folder: string,
    about: Readonly<Record<string, unknown>> = {},
  ): Promise<Shown<WrittenTable>> {
    checkArgument(exportArgument, folder, localFile)
    checkArgument('what the manifest says besides', about, jsonObject)
    return writeDataset(this.#database, folder, about)
  }

  /** Close its database, which frees memory. A later query fetches the samples again. */
  close(): Promise<void> {
    return this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [inspect.custom](): string {
    return [
      `HealthSamples, what the nodes measure of themselves, ${this.#period}`,
      '  await health.tables() lists the measurements',
      '  await health.sql`from node_health order by time desc limit 10` reads one',
      "  await health.rows('node_health').take(3) waits for new rows",
    ].join('\n')
  }
}
