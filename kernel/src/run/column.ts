import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  DuckDBVariantValue,
  type DuckDBValue,
} from '@duckdb/node-api'
import { LabError } from '@community-lab/contract'
import { quoteIdentifier } from './sql-quote.ts'

/** The most decimal digits that a double represents exactly. Source: IEEE 754, DBL_DIG of C. */
const exactDigits = 15
/** The latest time of a Date, in milliseconds. Source: ECMAScript, "Time Values and Time Range". */
const maxTimeMs = 8.64e15

/**
 * Convert a column of a result to JavaScript, with one type in all rows (see {@link Row}). The values of the whole column decide whether wide integers and
 * decimals become numbers.
 *
 * @throws {@link LabError} LAB_SQL_UNREADABLE for a value that JavaScript cannot represent; it says what to write in the query.
 */
export function readColumn(name: string, values: readonly DuckDBValue[]): unknown[] {
  const areNumbers = values.every(isNumberExact)
  return values.map((value) => readValue(value, { name, areNumbers }))
}

interface ColumnRule {
  readonly name: string
  /** Whether wide integers and decimals become numbers; otherwise they become bigints and texts. */
  readonly areNumbers: boolean
}

function isNumberExact(value: DuckDBValue): boolean {
  if (typeof value === 'bigint')
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return true
  if (value instanceof DuckDBDecimalValue)
    return value.value.toString().replace('-', '').length <= exactDigits
  return partsOf(value).every(isNumberExact)
}

/** Return the values inside a value. */
function partsOf(value: DuckDBValue): readonly DuckDBValue[] {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items
  if (value instanceof DuckDBStructValue) return Object.values(value.entries)
  if (value instanceof DuckDBMapValue)
    return value.entries.flatMap(({ key, value: item }) => [key, item])
  return value instanceof DuckDBUnionValue ? [value.value] : []
}

function readValue(value: DuckDBValue, rule: ColumnRule): unknown {
  if (typeof value === 'bigint') return rule.areNumbers ? Number(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof DuckDBDecimalValue)
    return rule.areNumbers ? Number(value.toString()) : value.toString()
  const timeMs = maybeTimeMs(value)
  if (timeMs !== null) return readTime(timeMs, value, rule)
  const read = (part: DuckDBValue): unknown => readValue(part, rule)
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue)
    return value.items.map(read)
  if (value instanceof DuckDBStructValue) return readStruct(value, rule)
  if (value instanceof DuckDBMapValue)
    return value.entries.map((entry) => ({ key: read(entry.key), value: read(entry.value) }))
  if (value instanceof DuckDBUnionValue) return { tag: value.tag, value: read(value.value) }
  if (value instanceof DuckDBBlobValue || value instanceof DuckDBGeometryValue)
    return new Uint8Array(value.bytes)
  if (value instanceof DuckDBVariantValue)
    throw unreadable(rule.name, 'a VARIANT', `${quoteIdentifier(rule.name)}::json or another type`)
  // The text of times of day, intervals, UUIDs and bits, which DuckDB can parse again.
  return value.toString()
}

/** Return milliseconds since the epoch, which may be infinite; null for a value that is neither a time nor a date. */
function maybeTimeMs(value: DuckDBValue & object): number | null {
  if (value instanceof DuckDBDateValue)
    return value.isFinite ? value.days * 86_400_000 : Math.sign(value.days) * Infinity
  const count = maybeCount(value)
  if (count === null) return null
  if (!count.isFinite) return count.of > 0n ? Infinity : -Infinity
  return floorDivide(count.of * 1000n, count.perSecond)
}

/** Return a time as a count since the epoch, with the parts of a second that it counts. */
function maybeCount(
  value: object,
): { readonly of: bigint; readonly perSecond: bigint; readonly isFinite: boolean } | null {
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return { of: value.micros, perSecond: 1_000_000n, isFinite: value.isFinite }
  if (value instanceof DuckDBTimestampNanosecondsValue)
    return { of: value.nanos, perSecond: 1_000_000_000n, isFinite: value.isFinite }
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return { of: value.millis, perSecond: 1000n, isFinite: value.isFinite }
  if (value instanceof DuckDBTimestampSecondsValue)
    return { of: value.seconds, perSecond: 1n, isFinite: value.isFinite }
  return null
}

/** Round down. Times before the epoch then become the millisecond that has begun, as those after it do. */
function floorDivide(count: bigint, by: bigint): number {
  const rest = ((count % by) + by) % by
  return Number((count - rest) / by)
}

function readTime(timeMs: number, value: DuckDBValue, { name }: ColumnRule): Date {
  if (Math.abs(timeMs) <= maxTimeMs) return new Date(timeMs)
  const isFinite = Number.isFinite(timeMs)
  const found = isFinite
    ? 'a time beyond the year 275760'
    : `the time ${timeMs > 0 ? '' : '-'}infinity`
  const column = quoteIdentifier(name)
  const write = isFinite
    ? `${column}::varchar`
    : `${column}::varchar, or case when isfinite(${column}) then ${column} end,`
  throw unreadable(name, found, write)
}

function readStruct({ entries }: DuckDBStructValue, rule: ColumnRule): unknown {
  const names = Object.keys(entries)
  if (names.includes(''))
    throw unreadable(rule.name, 'a row without names', 'struct_pack(a := …, b := …) for row(…)')
  return Object.fromEntries(
    Object.entries(entries).map(([name, value]) => [name, readValue(value, rule)]),
  )
}

function unreadable(column: string, found: string, write: string): LabError {
  return new LabError('LAB_SQL_UNREADABLE', { column, found, write })
}
