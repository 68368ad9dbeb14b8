import {
  kindOf,
  lossMeasurements,
  nodeMeasurements,
  type DeclaredFields,
  type FieldKind,
  type FieldValue,
} from '@community-lab/contract/samples'
import { nodeScope } from './name.ts'

/** Tell whether the rows of a measurement report missing samples. */
export function isLossMeasurement(name: string): boolean {
  return Object.hasOwn(lossMeasurements, name)
}

/** Return the fields that the table of a measurement has from the beginning; null when its samples decide about its columns. */
export function declaredFields(scope: string, name: string): DeclaredFields | null {
  if (isLossMeasurement(name)) return lossMeasurements[name] ?? null
  return scope === nodeScope && Object.hasOwn(nodeMeasurements, name)
    ? (nodeMeasurements[name] ?? null)
    : null
}

/** Describe a declared field that has a value of another kind; null when there is none. */
export function checkDeclared(
  scope: string,
  name: string,
  fields: Readonly<Record<string, FieldValue>>,
): string | null {
  const declared = declaredFields(scope, name)
  if (declared === null) return null
  for (const [field, value] of Object.entries(fields)) {
    const kind = Object.hasOwn(declared, field) ? declared[field] : undefined
    if (kind !== undefined && !fits(value, kind))
      return `field ${field} of ${name} is declared as a ${kind}, and ${JSON.stringify(value).slice(0, 80)} is none`
  }
  return null
}

function fits(value: FieldValue, declared: FieldKind): boolean {
  const kind = kindOf(value)
  return kind === declared || (kind === 'integer' && declared === 'number')
}
