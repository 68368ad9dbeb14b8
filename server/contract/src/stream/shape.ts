import { kindOf, type FieldKind } from '../field-number.ts'
import type { FieldValue } from '../field-value.ts'

/** A field of a {@link Shape}: its name, and the kind of all its values. `number` includes NaN and the infinities. */
export type ShapeField = readonly [name: string, kind: FieldKind]

/** What samples have in common that are stored and sent in columns together. */
export interface Shape {
  /** The id of a sliver, or `node`. */
  readonly source: string
  /** The name of the measurement. */
  readonly name: string
  /** In the order of the columns. */
  readonly fields: readonly ShapeField[]
}

/** A sample without its number. `time_us` is in microseconds since the epoch. */
export interface UnnumberedSample {
  readonly time_us: number
  readonly source: string
  readonly name: string
  readonly fields: Readonly<Record<string, FieldValue>>
}

/** Return the shape of a sample. */
export function shapeOf({ source, name, fields }: UnnumberedSample): Shape {
  return {
    source,
    name,
    fields: Object.entries(fields).map(([field, value]) => [field, kindOf(value)]),
  }
}

/** Tell whether a sample has a shape. */
export function hasShape(sample: UnnumberedSample, shape: Shape): boolean {
  if (sample.source !== shape.source || sample.name !== shape.name) return false
  let at = 0
  for (const field in sample.fields) {
    const expected = shape.fields[at++]
    if (expected === undefined || expected[0] !== field) return false
    const value = sample.fields[field]
    if (value === undefined || kindOf(value) !== expected[1]) return false
  }
  return at === shape.fields.length
}
