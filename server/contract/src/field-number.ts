import { exactNumberPattern } from './exact-number.ts'
import type { ExactNumber, FieldValue } from './field-value.ts'

const exactRegExp = new RegExp(exactNumberPattern, 'u')

/** The type of a field's value. `integer`: one beyond 2^53, which a `number` cannot represent exactly. */
export type FieldKind = 'number' | 'integer' | 'text' | 'boolean'

/** Return the type of a value. */
export function kindOf(value: FieldValue): FieldKind {
  switch (typeof value) {
    case 'number':
      return 'number'
    case 'string':
      return 'text'
    case 'boolean':
      return 'boolean'
    default:
      return /\d/u.test(value.number) ? 'integer' : 'number'
  }
}

/** Encode a number for sending: see {@link ExactNumber}. */
export function encodeNumber(value: number | bigint): number | ExactNumber {
  if (typeof value === 'bigint') {
    const rounded = Number(value)
    return Number.isSafeInteger(rounded) ? rounded : { number: String(value) }
  }
  if (Number.isNaN(value)) return { number: 'nan' }
  if (Number.isFinite(value)) return value
  return { number: value > 0 ? 'inf' : '-inf' }
}

/** Decode a number that was sent. An integer beyond 2^53 becomes a bigint. */
export function decodeNumber(value: number | ExactNumber): number | bigint {
  if (typeof value === 'number') return value
  switch (value.number) {
    case 'nan':
      return Number.NaN
    case 'inf':
      return Number.POSITIVE_INFINITY
    case '-inf':
      return Number.NEGATIVE_INFINITY
    default:
      return BigInt(value.number)
  }
}

/** Tell whether a JSON value is an {@link ExactNumber}. */
export function isExactNumber(value: unknown): value is ExactNumber {
  return (
    typeof value === 'object' &&
    value !== null &&
    'number' in value &&
    typeof value.number === 'string' &&
    exactRegExp.test(value.number)
  )
}
