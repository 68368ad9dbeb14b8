import { createClockTables } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { quoteText } from '../telemetry/domain/name.ts'
import { maxMarginS } from './domain/clock-reach.ts'

/** Read rows of the measurement `clock`. Returns by how many seconds the clocks were off at most; those that were off by more than {@link maxMarginS} are left out. */
export async function readClocks(
  connection: DuckDBConnection,
  file: string | null,
): Promise<number> {
  const source = file === null ? noClocks : `read_parquet(${quoteText(file)})`
  for (const sql of createClockTables(source, { isWhole: true })) await connection.run(sql)
  const off = 'ceil(abs(offset_s) + error_s)'
  const reader = await connection.runAndReadAll(
    `select coalesce(max(${off}) filter (${off} <= ${maxMarginS}), 0) from testbed.clock`,
  )
  return Number(reader.getRowsJS()[0]?.[0] ?? 0)
}

const numbers = [
  ...['offset_s', 'error_s', 'drift_ratio', 'drift_error_ratio'],
  ...['wall_s', 'step_s', 'unsure_s', 'moved_s', 'epoch'],
].map((column) => `null::double as ${column}`)

/** No row of `clock`, for a store that has none. */
const noClocks = `(select null::timestamptz as time, null::integer as node_id, null::bigint as landed, null::varchar as boot_id, ${numbers.join(', ')} where false)`
