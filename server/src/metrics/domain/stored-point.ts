import {
  maybeUnitOf,
  type FieldKind,
  type Point,
  type PointField,
} from '@community-lab/contract/samples'

/** Describe a stored measurement as a point, so that its names and units for other tools are those of declared points. Units are known by the names of fields. */
export function storedPoint(name: string, kinds: Readonly<Record<string, FieldKind>>): Point {
  const fields = Object.entries(kinds).map(([field, kind]): [string, PointField] => {
    const unit = kind === 'number' || kind === 'integer' ? maybeUnitOf(field) : null
    return [field, { kind, unit, help: `The latest ${field} of ${name}.`, is_optional: true }]
  })
  return { name, fields: Object.fromEntries(fields) }
}
