import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  HUGEINT,
  LIST,
  listValue,
  SQLNULL,
  timestampTZValue,
  TIMESTAMPTZ,
  UHUGEINT,
  VARCHAR,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api'
import { LabError } from '@community-lab/contract'

/** A value of a query that is not a list. */
type SqlScalar = string | number | bigint | boolean | Date

/** A value for `${…}` in a query. A list has values of one kind: texts, numbers, booleans or Dates. */
export type SqlValue = SqlScalar | null | readonly SqlScalar[]

/**
 * A row of a result: its columns by name. A column has one JavaScript type in all rows:
 *
 * - BOOLEAN: boolean. Integers of up to 32 bits, REAL and DOUBLE: number.
 * - BIGINT, HUGEINT and similar: number if every value of the column is exact as one, otherwise bigint.
 * - DECIMAL: number if every value has at most 15 digits, otherwise text.
 * - TIMESTAMP, TIMESTAMPTZ and DATE: Date, to the millisecond; a time without a zone is UTC.
 * - TIME, INTERVAL, UUID, ENUM, BIT, JSON and VARCHAR: text. BLOB: Uint8Array.
 * - LIST and ARRAY: array. STRUCT: object. MAP: array of `{ key, value }`. UNION: `{ tag, value }`.
 */
export type Row = Readonly<Record<string, unknown>>

/** A value and its DuckDB type. */
export interface BoundValue {
  readonly value: DuckDBValue
  readonly type: DuckDBType
}

const expected =
  'a text, number, bigint, boolean, Date or null, or a list of one kind of these without null'

/**
 * Convert a value for DuckDB. `position` counts from 1, for the error.
 *
 * @throws {@link LabError} LAB_ARGUMENT_INVALID; LAB_SQL_INVALID for a text with a lone surrogate.
 */
export function bindValue(value: unknown, position: number): BoundValue {
  const bound = Array.isArray(value) ? maybeBindList(value) : maybeBindScalar(value)
  if (bound !== null) return bound
  const half = Array.isArray(value) ? value.find(isIllFormed) : value
  if (isIllFormed(half)) {
    const shown = JSON.stringify(half.slice(0, 80))
    const problem = `value ${position} has half a character (a lone surrogate): ${shown}; DuckDB would keep another text. Give a text that is whole, such as text.toWellFormed()`
    throw new LabError('LAB_SQL_INVALID', { problem })
  }
  throw new LabError('LAB_ARGUMENT_INVALID', {
    argument: `value ${position} of the query`,
    found: describe(value),
    expected,
  })
}

function isIllFormed(value: unknown): value is string {
  return typeof value === 'string' && !value.isWellFormed()
}

function maybeBindScalar(value: unknown): BoundValue | null {
  if (value === null) return { value: null, type: SQLNULL }
  if (typeof value === 'string') return isIllFormed(value) ? null : { value, type: VARCHAR }
  if (typeof value === 'boolean') return { value, type: BOOLEAN }
  if (typeof value === 'bigint') return maybeBindInteger(value)
  if (typeof value === 'number') {
    // As a double it would equal integers beside it: DuckDB compares 2^53 + 1 with 2^53 as doubles.
    const integer = Number.isInteger(value) ? maybeBindInteger(BigInt(value)) : null
    return integer ?? { value, type: DOUBLE }
  }
  if (value instanceof Date && !Number.isNaN(value.getTime()))
    return { value: timestampTZValue(BigInt(value.getTime()) * 1000n), type: TIMESTAMPTZ }
  return null
}

function maybeBindInteger(value: bigint): BoundValue | null {
  if (BigInt.asIntN(64, value) === value) return { value, type: BIGINT }
  if (BigInt.asIntN(128, value) === value) return { value, type: HUGEINT }
  return BigInt.asUintN(128, value) === value ? { value, type: UHUGEINT } : null
}

/** Convert a list; null for values of different kinds. DuckDB takes an empty list for a list of nulls, which can be compared with a column of any type. */
function maybeBindList(items: readonly unknown[]): BoundValue | null {
  const known = items.flatMap((item) => (item === null ? [] : (maybeBindScalar(item) ?? [])))
  if (known.length < items.length) return null
  const type = commonType(known)
  if (type === null) return null
  const values = known.map(({ value }) =>
    type === DOUBLE && typeof value === 'bigint' ? Number(value) : value,
  )
  return { value: listValue(values), type: LIST(type) }
}

function commonType(items: readonly BoundValue[]): DuckDBType | null {
  const found = new Set(items.map(({ type }) => type))
  const [first = SQLNULL] = found
  if (found.size <= 1) return first
  if (found.has(DOUBLE)) return items.every(isExactAsDouble) ? DOUBLE : null
  return [...found].every((type) => type === BIGINT || type === HUGEINT) ? HUGEINT : null
}

/** Whether a double holds a number. Beside a fraction, an integer that it does not hold would be another number. */
function isExactAsDouble({ value }: BoundValue): boolean {
  if (typeof value === 'number') return true
  return typeof value === 'bigint' && BigInt(Number(value)) === value
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return describeList(value)
  if (value instanceof Date) return 'a Date that is no time'
  if (value instanceof Promise) return 'a promise, to be awaited first'
  if (typeof value === 'bigint') return 'an integer below -2^127 or beyond 2^128 - 1'
  return typeof value === 'object' ? 'an object' : typeof value
}

function describeList(items: readonly unknown[]): string {
  const at = items.findIndex((item) => item === null || maybeBindScalar(item) === null)
  if (at === -1) return 'a list of different kinds'
  const item: unknown = items[at]
  const found = item === null ? 'null' : Array.isArray(item) ? 'a list itself' : describe(item)
  return `a list whose item ${at + 1} is ${found}`
}
