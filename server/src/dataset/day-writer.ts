import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { HealthTable } from '@community-lab/contract'
import {
  clockMeasurement,
  correctedTime,
  maybeUnitOf,
  offsetsOf,
} from '@community-lab/contract/samples'
import {
  DuckDBInstance,
  DuckDBTimestampTZValue,
  type DuckDBAppender,
  type DuckDBConnection,
} from '@duckdb/node-api'
import type { Period } from '../domain/history.ts'
import { quoteIdentifier, quoteText } from '../telemetry/domain/name.ts'
import { readClocks } from './clocks.ts'
import { tableHelp } from './domain/manifest.ts'
import type { Recorded } from './recorded.ts'

/** Writes the tables of a day, sorted, each under a name that contains its checksum. */
export interface DayWriter extends AsyncDisposable {
  /** Read what is known of clocks from a Parquet file; null: nothing. Returns by how many seconds they were off at most. It is needed before samples. */
  useClocks(file: string | null): Promise<number>
  /** Write the samples of the day, with corrected times. The file in `dir` appears as a whole. What was published of the day stays as it is. */
  sorted(name: string, samples: DaySamples): Promise<WrittenSamples>
  /** Write what the server has recorded. */
  recorded(table: Recorded): Promise<HealthTable>
}

/** What may be samples of a day. */
export interface DaySamples {
  readonly period: Period
  /** A Parquet file of the samples that landed after those that were looked at before. They may be of the day. */
  readonly file: string
  /** What is published of the day; null: nothing. */
  readonly published: PublishedFile | null
  /** What is published of the days before and after. */
  readonly earlier: PublishedFile | null
  readonly later: PublishedFile | null
}

/** A published table, and the path of its file. */
export interface PublishedFile {
  readonly path: string
  readonly table: HealthTable
}

/** A table that was written; `added` are its rows that were not published. Where there is none, it is the published one. */
export interface WrittenSamples {
  readonly table: HealthTable
  readonly added: number
}

/** The most memory of DuckDB; it spills what does not fit. It works once a day. */
const memoryLimit = '128MB'
/** Rows of one group. A reader who wants one node skips the others' groups. */
const rowGroupRows = 20_480

/** Open a writer into `dir`. It uses a DuckDB of its own, so that the store of samples goes on meanwhile. */
export async function openDayWriter(dir: string): Promise<DayWriter> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: memoryLimit,
    temp_directory: join(dir, '.spill'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run(`set global TimeZone = 'UTC'`)

  async function columnsOf(from: string) {
    const described = await connection.runAndReadAll(`describe from ${from}`)
    return described
      .getRowsJS()
      .flatMap(([column, type]) =>
        typeof column === 'string' && typeof type === 'string' ? [{ name: column, type }] : [],
      )
  }

  /** The rows of a published file, in SQL. Those of format 1 have the time of the node alone. */
  async function rowsOf(published: PublishedFile): Promise<string> {
    const rows = fileOf(published)
    if ((await columnsOf(rows)).some(({ name }) => name === 'time_node')) return rows
    return `(select *, null::double as time_error_s, time as time_node from ${rows})`
  }

  async function write(
    name: string,
    from: string,
    { order, landed }: { readonly order: string; readonly landed: number },
  ): Promise<HealthTable> {
    const columns = await columnsOf(from)
    const draft = join(dir, `.${name}.draft`)
    try {
      await connection.run(
        `copy (from ${from} order by ${order}) to ${quoteText(draft)} (format parquet, compression zstd, row_group_size ${rowGroupRows})`,
      )
      const [rows = 0] = await numbers(
        connection,
        `select count(*) from read_parquet(${quoteText(draft)})`,
      )
      const sha256 = await checksum(draft)
      const file = `${name}-${sha256.slice(0, 16)}.parquet`
      const handle = await open(draft)
      await handle.sync()
      await handle.close()
      const { size } = await stat(draft)
      await rename(draft, join(dir, file))
      return {
        name,
        file,
        rows,
        bytes: size,
        sha256,
        landed,
        help: tableHelp[name] ?? '',
        columns: columns.map((column) => ({ ...column, unit: maybeUnitOf(column.name) })),
      }
    } finally {
      await rm(draft, { force: true })
    }
  }

  return {
    useClocks: (file) => readClocks(connection, file),
    async sorted(name, { period, file, published, earlier, later }) {
      const files = [published, earlier, later].filter((each) => each !== null)
      const keys = await Promise.all(
        files.map(async (each) => `select node, time_node, seq from ${await rowsOf(each)}`),
      )
      const known =
        keys.length === 0
          ? ''
          : `anti join (${keys.join(' union all ')}) using (node, time_node, seq)`
      await connection.run(
        `create or replace table late as select * from (select *, time as time_node from read_parquet(${quoteText(file)})) ${known}`,
      )
      const [seen = 0] = await numbers(
        connection,
        `select coalesce(max(landed), 0) from read_parquet(${quoteText(file)})`,
      )
      const added = name === clockMeasurement ? clockRows : correctedRows(period, earlier)
      await connection.run(`create or replace table added as ${added}`)
      await connection.run('drop table late')
      const [count = 0] = await numbers(connection, 'select count(*) from added')
      const landed = Math.max(seen, published?.table.landed ?? 0)
      if (published !== null && count === 0)
        return { table: { ...published.table, landed }, added: 0 }
      const before = name === clockMeasurement ? fileOf : rowsOf
      const rows =
        published === null
          ? 'added'
          : `(from ${await before(published)} union all by name from added)`
      const table = await write(name, rows, { order: 'node, time, seq', landed })
      await connection.run('drop table added')
      return { table, added: count }
    },
    async recorded({ name, columns, rows, isCut }) {
      const definitions = columns.map(([column, type]) => `${quoteIdentifier(column)} ${type}`)
      await connection.run(
        `create or replace table ${quoteIdentifier(name)} (${definitions.join(', ')})`,
      )
      const appender = await connection.createAppender(name)
      for (const row of rows) {
        row.forEach((value) => append(appender, value))
        appender.endRow()
      }
      appender.closeSync()
      const order = columns.map((_, at) => at + 1).join(', ')
      const table = await write(name, quoteIdentifier(name), { order, landed: 0 })
      await connection.run(`drop table ${quoteIdentifier(name)}`)
      if (!isCut) return table
      return { ...table, help: `${table.help} The day has more than the ${rows.length} rows here.` }
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync()
      instance.closeSync()
      await rm(join(dir, '.spill'), { recursive: true, force: true })
    },
  }
}

function fileOf({ path }: PublishedFile): string {
  return `read_parquet(${quoteText(path)})`
}

/** The rows that tell of the clocks have the time of the node. */
const clockRows = 'select * exclude (time_node) from late'

/** The new rows of a day by the server's clock. Those that the day before has looked at and left to this one are of this one, also where more is known of their clock now. */
function correctedRows({ fromMs, toMs }: Period, earlier: PublishedFile | null): string {
  const { time, error } = correctedTime('late')
  const at = (ms: number) => `make_timestamptz(${ms * 1000})`
  const corrected = `coalesce(${time}, late.time_node)`
  return `
    select late.* replace (${corrected} as time), ${error} as time_error_s
    from late join (${offsetsOf('select rowid as id, node_id, time_node from late')}) known on late.rowid = known.id
    where (${corrected} >= ${at(fromMs)} or late.landed <= ${earlier?.table.landed ?? 0}) and ${corrected} < ${at(toMs)}`
}

function append(appender: DuckDBAppender, value: string | number | Date | null): void {
  if (value === null) appender.appendNull()
  else if (typeof value === 'string') appender.appendVarchar(value)
  else if (typeof value === 'number') appender.appendInteger(value)
  else appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n))
}

async function numbers(connection: DuckDBConnection, sql: string): Promise<readonly number[]> {
  const answer = await connection.runAndReadAll(sql)
  return answer.getRowsJS()[0]?.map(Number) ?? []
}

async function checksum(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
