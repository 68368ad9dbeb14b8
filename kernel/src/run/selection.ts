import type { Measurement, RecordedTable } from '@community-lab/contract'
import { lastOwn, type OwnRows } from './own-rows.ts'
import type { PublishedDays } from './published-days.ts'
import type { RecordedPeriod } from './recorded-tables.ts'

/** The samples that a database contains. */
export interface Selection {
  /** `node`, or `slice-<id>`. */
  readonly scope: string
  /** Only samples of this run. */
  readonly run?: string
  /** Of a run: which of the samples without a run are its own. */
  readonly own?: () => OwnRows
  /** From this time on, and before the other; not of a run. */
  readonly from?: Date | undefined
  readonly to?: Date | undefined
  /** Fetch the published days of the period. Their rows are read from files, and only later ones from the server's store. */
  readonly published?: (signal: AbortSignal) => Promise<PublishedDays>
  /** Fetch what the server has recorded itself of a period: what is not published yet of the tables that are no samples. */
  readonly recorded?: (
    period: RecordedPeriod,
    signal: AbortSignal,
  ) => Promise<readonly RecordedTable[]>
  /** Tables that are known in advance. Each exists from the beginning, with all its columns, whatever its first samples contain. */
  readonly tables?: Readonly<Record<string, DeclaredColumns>>
}

/** The columns of a table that its samples provide, with DuckDB's types. */
export type DeclaredColumns = Readonly<Record<string, 'BIGINT' | 'BOOLEAN' | 'DOUBLE' | 'VARCHAR'>>

/** The clocks of the server and of its database may differ by so much, in milliseconds. */
const marginMs = 60_000

/** Tell whether samples of a measurement can name their run. */
export function hasRunColumn({ columns }: Measurement): boolean {
  return columns.some((column) => column.name === 'run')
}

/** Return what to ask the server for: the selected rows of a measurement, and others that are removed later. `from`: from when on they are read from the server's store. */
export function queryOf(
  { run, own, to }: Selection,
  measurement: Measurement,
  from: Date | undefined,
): Readonly<Record<string, string>> {
  if (run !== undefined && hasRunColumn(measurement)) return { run }
  if (own !== undefined) {
    // What the server had before the run is not of the run, whatever the times of the rows say.
    const last = lastOwn(own())
    const since = new Date(own().notBeforeMs - marginMs).toISOString()
    return { since, ...(last === null ? {} : { up_to: String(last) }) }
  }
  return {
    ...(from === undefined ? {} : { from: from.toISOString() }),
    ...(to === undefined ? {} : { to: to.toISOString() }),
  }
}
