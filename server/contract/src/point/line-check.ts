import type { FieldValue } from '../field-value.ts'
import { kindWords } from './check.ts'
import type { PointField, PointKind } from './field.ts'
import type { Point } from './point.ts'

/** Check the fields of a line. Returns why they do not fit, with the names of the point and the field and what was expected; null when they fit. */
export type LineCheck = (fields: Readonly<Record<string, FieldValue>>) => string | null

const fits: Readonly<Record<PointKind, (value: FieldValue) => boolean>> = {
  seconds: (value) => typeof value === 'number',
  bytes: (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
  ratio: (value) => typeof value === 'number',
  count: (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
  integer: (value) => typeof value === 'number' && Number.isSafeInteger(value),
  number: (value) =>
    typeof value === 'number' || (typeof value === 'object' && !/\d/u.test(value.number)),
  boolean: (value) => typeof value === 'boolean',
  text: (value) => typeof value === 'string',
}

interface Expected {
  readonly reason: string
  readonly is: (value: FieldValue) => boolean
}

/**
 * Make the check of a point's lines. Make it once: it is called for each line. The reasons do not contain values, because lines with the same fault are counted
 * together.
 */
export function compileLineCheck({ name, fields }: Point): LineCheck {
  const expected = new Map(
    Object.entries(fields).map(([field, { kind }]): [string, Expected] => {
      const reason = `point ${name}: field ${field} must be ${kindWords[kind]}`
      return [field, { reason, is: fits[kind] }]
    }),
  )
  const required = Object.entries(fields)
    .filter(([, field]) => !field.is_optional)
    .map(([field, declared]) => ({ field, reason: missing(name, field, declared) }))
  const known = [...expected.keys()].join(', ')
  return (line) => {
    for (const field in line) {
      if (field === 'run') continue
      const rule = expected.get(field)
      if (rule === undefined) return `point ${name} has no field ${field}; it has ${known}`
      const value = line[field]
      if (value === undefined || !rule.is(value)) return rule.reason
    }
    for (const { field, reason } of required) if (line[field] === undefined) return reason
    return null
  }
}

function missing(point: string, field: string, { kind }: PointField): string {
  return `point ${point}: field ${field} is missing; it must be ${kindWords[kind]}, unless it is declared as optional(…)`
}
