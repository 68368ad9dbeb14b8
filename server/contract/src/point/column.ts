import type { DeclaredFields } from '../declared-measurement.ts'
import type { PointField, PointKind } from './field.ts'
import type { Point } from './point.ts'

/** DuckDB's types of the fields' columns, which Parquet files have too. */
export const pointColumnTypes = {
  seconds: 'DOUBLE',
  bytes: 'BIGINT',
  ratio: 'DOUBLE',
  count: 'BIGINT',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  text: 'VARCHAR',
} as const satisfies Record<PointKind, string>

/** A column of a declared measurement, as in a dataset. `type` is DuckDB's. */
export interface PointColumn {
  readonly name: string
  readonly type: (typeof pointColumnTypes)[PointKind]
  readonly unit: string | null
  readonly help: string
  /** Whether rows may have null. */
  readonly nullable: boolean
}

/** List the columns of a point's fields, in their order. */
export function columnsOfPoint({ fields }: Point): readonly PointColumn[] {
  return Object.entries(fields).map(([name, { kind, unit, help, is_optional: nullable }]) => ({
    name,
    type: pointColumnTypes[kind],
    unit,
    help,
    nullable,
  }))
}

/**
 * Return the kinds as which the server's store keeps the fields of a point, and `run`. Whole numbers are doubles there, which is exact for those that fit the point.
 */
export function storedFieldsOf({ fields }: Point): DeclaredFields {
  const kinds = Object.entries(fields).map(([name, { kind }]) => {
    return [name, kind === 'text' || kind === 'boolean' ? kind : 'number'] as const
  })
  return { ...Object.fromEntries(kinds), run: 'text' }
}

/**
 * Say in which field two declarations of one measurement contradict each other, because one table cannot hold both: the types of its columns, or the units, differ. null
 * when they go together. A field that only one of them has is no contradiction, nor is another help.
 */
export function findContradiction(wanted: Point, known: Point): string | null {
  for (const [name, field] of Object.entries(wanted.fields)) {
    const other = Object.hasOwn(known.fields, name) ? known.fields[name] : undefined
    if (other !== undefined && describe(field) !== describe(other))
      return `field ${name} is ${describe(field)}, and was ${describe(other)}`
  }
  return null
}

function describe({ kind, unit }: PointField): string {
  const type = { DOUBLE: 'a number', BIGINT: 'a whole number', BOOLEAN: 'true or false' } as const
  const of = pointColumnTypes[kind]
  return `${of === 'VARCHAR' ? 'text' : type[of]}${unit === null ? '' : ` in ${unit}`}`
}
