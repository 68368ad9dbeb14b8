import { DuckDBTimestampValue, listValue, type DuckDBValue, type JS } from '@duckdb/node-api'
import { LabError } from '@community-lab/contract'

/** What may be bound into a query. */
export type SqlValue =
  string | number | bigint | boolean | Date | null | readonly (string | number | bigint)[]

/** One row of a result: its columns by name. Times are Dates, integers numbers as far as they are exact. */
export type Row = Readonly<Record<string, unknown>>

/** The query of a tagged template: each value becomes a parameter, never text. */
export function buildQuery(strings: readonly string[]): string {
  return strings.reduce((query, text, index) => `${query}$${index}${text}`)
}

/** A value as DuckDB binds it. @throws {@link LabError} LAB_ARGUMENT_INVALID. */
export function bindValue(value: unknown, position: number): DuckDBValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (value instanceof Date && !Number.isNaN(value.getTime()))
    return new DuckDBTimestampValue(BigInt(value.getTime()) * 1000n)
  if (Array.isArray(value) && value.length > 0)
    return listValue(value.map((item: unknown) => bindValue(item, position)))
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: `value ${position} of the query`,
    found: Array.isArray(value) ? 'an empty list' : typeof value,
    expected: 'a text, number, boolean, Date or null, or a list of these that is not empty',
  })
}

/** A value of a result as notebooks use it: integers of 64 bits and more are numbers where that loses nothing. */
export function readValue(value: JS): unknown {
  if (typeof value === 'bigint')
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value
  if (Array.isArray(value)) return value.map(readValue)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readValue(item)]))
}
