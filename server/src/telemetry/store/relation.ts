import { join } from 'node:path'
import {
  columnOf,
  columnTypes,
  firstColumns,
  listColumns,
  readFields,
  runField,
} from '../domain/layout.ts'
import { quoteIdentifier, quoteText, tableOf } from '../domain/name.ts'
import { fieldsOfFile, type SealedFile } from '../domain/sealing.ts'
import { kindOfType, landedSince, type StoredTable } from './catalog.ts'

/** Which rows of a measurement. Times are in microseconds since the epoch; null: no limit. */
export interface RowRange {
  readonly run: string | null
  /** Inclusive. */
  readonly fromUs: number | null
  /** Exclusive. */
  readonly toUs: number | null
  /** Rows with numbers above this one. */
  readonly after: number
  /** Rows with numbers up to this one; null: no limit. */
  readonly upTo: number | null
  /** Leave out rows that the server had before this time, unless their own times are later. */
  readonly sinceUs?: number | null | undefined
}

export const allOf: RowRange = { run: null, fromUs: null, toUs: null, after: 0, upTo: null }

const firstNames: ReadonlySet<string> = new Set(firstColumns.map(([name]) => name))

/** Return the files that may have rows of a range. Those that cannot be read are left out. */
export function filesOf(files: readonly SealedFile[], range: RowRange): readonly SealedFile[] {
  const { run, fromUs, toUs, after, upTo, sinceUs } = range
  return files.filter(
    (file) =>
      file.fault === null &&
      file.lastLanded > after &&
      (upTo === null || file.firstLanded <= upTo) &&
      (fromUs === null || file.lastUs >= fromUs) &&
      (toUs === null || file.firstUs < toUs) &&
      (sinceUs == null || file.lastUs >= sinceUs || file.lastLanded > landedSince(sinceUs)) &&
      (run === null || file.runs === null || file.runs.includes(run)) &&
      (run === null || file.columns.some(([column]) => column === runField)),
  )
}

/** Return the rows of a measurement in SQL: those in the database, and those of sealed files, with the same columns and types. */
export function relationOf(
  table: StoredTable,
  files: readonly SealedFile[],
  { range, dir }: { readonly range: RowRange; readonly dir: string },
): string {
  return `(${[hotRows(table, range), ...sealedRows(table, files, { range, dir })].join(' union all ')})`
}

/** Return the rows in the database. */
export function hotRows(table: StoredTable, range: RowRange): string {
  const names = columnsOf(table).map(([column]) => quoteIdentifier(column))
  const hasRun = table.committed?.has(runField) === true
  const conditions = conditionsOf(range, { hasRun, timeOf: timestampOf })
  return `select ${names.join(', ')} from ${tableOf(table)} where ${conditions}`
}

/** Return the rows of sealed files, one query for all files with the same columns. */
export function sealedRows(
  table: StoredTable,
  files: readonly SealedFile[],
  { range, dir }: { readonly range: RowRange; readonly dir: string },
): readonly string[] {
  const alike = new Map<string, SealedFile[]>()
  for (const file of files) {
    const layout = JSON.stringify(file.columns)
    const group = alike.get(layout)
    if (group === undefined) alike.set(layout, [file])
    else group.push(file)
  }
  return [...alike.values()].map((group) => {
    const [first] = group
    const paths = group.map(({ file }) => quoteText(join(dir, file)))
    const conditions = conditionsOf(range, { hasRun: true, timeOf: zonedOf })
    return `select ${sealedColumns(table, first?.columns ?? [])} from read_parquet([${paths.join(', ')}], hive_partitioning = false) where ${conditions}`
  })
}

/** List the columns of a table that readers see, with DuckDB's types, in order. */
export function columnsOf({ committed }: StoredTable): readonly (readonly [string, string])[] {
  return [...firstColumns, ...(committed ?? [])]
}

/**
 * Return the columns of a table from a sealed file in SQL. The file has the columns that the table had when it was written: since then fields may have got
 * columns, and others the name of the field.
 */
function sealedColumns(table: StoredTable, stored: SealedFile['columns']): string {
  const inFile = fieldsOfFile(stored, firstNames)
  const now = readFields(
    [...(table.committed ?? [])].map(([column, type]) => ({ column, kind: kindOfType(type) })),
  )
  const source = new Map<string, string | null>()
  for (const { column, name, kind } of listColumns(now)) {
    const field = inFile.get(name)
    const has = (of: typeof kind): boolean => field?.counts.has(of) === true
    const isWidened =
      kind === 'integer' && !has('integer') && now.get(name)?.counts.has('number') !== true
    const from = has(kind) ? kind : isWidened && has('number') ? 'number' : null
    source.set(column, field === undefined || from === null ? null : columnOf(name, field, from))
  }
  const firsts = firstColumns.map(([column]) => {
    const name = quoteIdentifier(column)
    return column === 'time' ? `make_timestamp(epoch_us(${name})) as ${name}` : name
  })
  const fields = [...(table.committed ?? [])].map(([column, type]) => {
    const from = source.get(column) ?? null
    return `${from === null ? 'null' : quoteIdentifier(from)}::${type} as ${quoteIdentifier(column)}`
  })
  return [...firsts, ...fields].join(', ')
}

interface ConditionContext {
  readonly hasRun: boolean
  timeOf(us: number): string
}

function conditionsOf(
  { run, fromUs, toUs, after, upTo, sinceUs }: RowRange,
  { hasRun, timeOf }: ConditionContext,
): string {
  const ofRun = hasRun ? `${runField} = ${quoteText(run ?? '')}` : 'false'
  const conditions = [
    ...(run === null ? [] : [ofRun]),
    ...(after === 0 ? [] : [`landed > ${after}`]),
    ...(upTo === null ? [] : [`landed <= ${upTo}`]),
    ...(fromUs === null ? [] : [`time >= ${timeOf(fromUs)}`]),
    ...(toUs === null ? [] : [`time < ${timeOf(toUs)}`]),
    ...(sinceUs == null
      ? []
      : [`(landed > ${landedSince(sinceUs)} or time >= ${timeOf(sinceUs)})`]),
  ]
  return conditions.length === 0 ? 'true' : conditions.join(' and ')
}

function timestampOf(us: number): string {
  return `make_timestamp(${us}::bigint)`
}

function zonedOf(us: number): string {
  return `make_timestamptz(${us}::bigint)`
}

/** The type of integers in a Parquet file, which has none beyond 64 bits; DuckDB would round them. */
export const parquetInteger = 'decimal(38, 0)'

/** Return columns in SQL. `integerType` is the type of integers. */
export function selectColumns(
  table: StoredTable,
  replaced: Readonly<Record<string, string>>,
  integerType: string = columnTypes.integer,
): string {
  const expressions = columnsOf(table).map(([column, type]) => {
    const name = quoteIdentifier(column)
    if (Object.hasOwn(replaced, column)) return `${replaced[column] ?? name} as ${name}`
    return type === columnTypes.integer ? `${name}::${integerType} as ${name}` : name
  })
  return expressions.join(', ')
}
