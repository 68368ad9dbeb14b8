import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { HealthTable } from '@community-lab/contract'
import { maybeUnitOf } from '@community-lab/contract/samples'
import {
  DuckDBInstance,
  DuckDBTimestampTZValue,
  type DuckDBAppender,
  type DuckDBConnection,
} from '@duckdb/node-api'
import { quoteIdentifier, quoteText } from '../telemetry/domain/name.ts'
import { tableHelp } from './domain/manifest.ts'
import type { Recorded } from './recorded.ts'

/** Writes the tables of a day, sorted, each under a name that contains its checksum. */
export interface DayWriter extends AsyncDisposable {
  /** Write the rows of a Parquet file. The file in `dir` appears as a whole. `published` is the path of a file with earlier rows, which are written too, each once. */
  sorted(name: string, file: string, published: string | null): Promise<HealthTable>
  /** Write what the server has recorded. */
  recorded(table: Recorded): Promise<HealthTable>
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

  async function write(name: string, from: string, order: string): Promise<HealthTable> {
    const described = await connection.runAndReadAll(`describe from ${from}`)
    const columns = described
      .getRowsJS()
      .flatMap(([column, type]) =>
        typeof column === 'string' && typeof type === 'string' ? [{ name: column, type }] : [],
      )
    const hasLanded = columns.some((column) => column.name === 'landed')
    const draft = join(dir, `.${name}.draft`)
    try {
      await connection.run(
        `copy (from ${from} order by ${order}) to ${quoteText(draft)} (format parquet, compression zstd, row_group_size ${rowGroupRows})`,
      )
      const [rows = 0, landed = 0] = await numbers(
        connection,
        `select count(*), ${hasLanded ? 'coalesce(max(landed), 0)' : '0'} from read_parquet(${quoteText(draft)})`,
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
    sorted(name, file, published) {
      const rows = `read_parquet(${quoteText(file)})`
      if (published === null) return write(name, rows, 'node, time, seq')
      const before = `read_parquet(${quoteText(published)})`
      const added = `select late.* from ${rows} as late anti join ${before} as old using (node, time, seq)`
      return write(name, `(select * from ${before} union all by name ${added})`, 'node, time, seq')
    },
    async recorded({ name, columns, rows }) {
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
      const table = await write(
        name,
        quoteIdentifier(name),
        columns.map((_, at) => at + 1).join(', '),
      )
      await connection.run(`drop table ${quoteIdentifier(name)}`)
      return table
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync()
      instance.closeSync()
      await rm(join(dir, '.spill'), { recursive: true, force: true })
    },
  }
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
