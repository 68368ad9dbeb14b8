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

/** Decimal numbers of so many digits survive as a double. Source: IEEE 754, DBL_DIG of C. */
const exactDigits = 15
/** The last time that a Date can be, in milliseconds. Source: ECMAScript, "Time Values and Time Range". */
const maxTimeMs = 8.64e15

/**
 * A column of a result as JavaScript has it, with one type in all rows; `Row` says which. Whether wide integers and decimals are numbers is decided by the
 * whole column.
 *
 * @throws {@link LabError} LAB_SQL_UNREADABLE for a value that JavaScript has none for, saying what to write in the query.
 */
export function readColumn(name: string, values: readonly DuckDBValue[]): unknown[] {
  const areNumbers = values.every(isNumberExact)
  return values.map((value) => readValue(value, { name, areNumbers }))
}

interface ColumnRule {
  readonly name: string
  /** Wide integers and decimals become numbers; false: bigints and texts. */
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

/** The values inside a value. */
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
    throw unreadable(rule.name, 'a VARIANT', `${quote(rule.name)}::json or another type`)
  // Times of day, intervals, UUIDs and bits have a text that DuckDB reads again.
  return value.toString()
}

/** Milliseconds since the epoch; what is infinite stays so. Null for what is neither time nor date. */
function maybeTimeMs(value: DuckDBValue & object): number | null {
  if (value instanceof DuckDBDateValue)
    return value.isFinite ? value.days * 86_400_000 : Math.sign(value.days) * Infinity
  const count = maybeCount(value)
  if (count === null) return null
  if (!count.isFinite) return count.of > 0n ? Infinity : -Infinity
  return floorDivide(count.of * 1000n, count.perSecond)
}

/** How many parts of a second since the epoch a time is. */
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

/** Times before the epoch round like those after it: to the millisecond that has begun. */
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
  const column = quote(name)
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

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function unreadable(column: string, found: string, write: string): LabError {
  return new LabError('LAB_SQL_UNREADABLE', { column, found, write })
}
