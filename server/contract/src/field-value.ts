import Type, { type Static } from 'typebox'
import { exactNumberPattern } from './exact-number.ts'

/**
 * A number that JSON cannot represent exactly, as it is stored and sent: NaN, an infinity, or the digits of an integer beyond 2^53. Every other number is a
 * JSON number.
 */
export const ExactNumber = Type.Object({
  number: Type.String({ pattern: exactNumberPattern }),
})
export type ExactNumber = Static<typeof ExactNumber>

/** The value of a field of a sample. */
export const FieldValue = Type.Union([
  Type.Number(),
  Type.String({ maxLength: 4096 }),
  Type.Boolean(),
  ExactNumber,
])
export type FieldValue = Static<typeof FieldValue>
