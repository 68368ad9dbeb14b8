import { reservedColumns, type FieldValue } from '@community-lab/contract'
import { isName } from './name.ts'

/** DuckDB's type of a field's column. */
export type FieldType = 'DOUBLE' | 'VARCHAR' | 'BOOLEAN'

/** The fields of a table in the order of their columns, which follow {@link firstColumns}. */
export type Fields = Map<string, FieldType>

/** The columns that every table begins with, in this order, with DuckDB's types. */
export const firstColumns = [
  ['time', 'TIMESTAMP'],
  ['node', 'VARCHAR'],
  ['sliver', 'VARCHAR'],
  ['seq', 'BIGINT'],
  ['spool', 'VARCHAR'],
  ['landed', 'BIGINT'],
  ['overflow', 'VARCHAR'],
] as const

/** The field that names a run; always text, so that `run=5` and `run="5"` are one run. */
export const runField = 'run'

/** A sample's fields, fitted into a table. */
export interface Fitted {
  /** By column. */
  readonly values: ReadonlyMap<string, FieldValue>
  /** JSON of the fields that have no column or another type than theirs; null when there is none. */
  readonly overflow: string | null
  /** Columns that the table gets for this sample. */
  readonly added: readonly (readonly [name: string, type: FieldType])[]
}

/**
 * Fit a sample's fields into a table's columns. The first value of a field decides its column's type; a value of another type, a name that cannot
 * be a column, and a new field of a table that has `maxFields` already go to `overflow`. `fields` gets the new columns.
 */
export function fitFields(
  sample: Readonly<Record<string, FieldValue>>,
  fields: Fields,
  maxFields: number,
): Fitted {
  const values = new Map<string, FieldValue>()
  const added: (readonly [string, FieldType])[] = []
  const overflow: (readonly [string, FieldValue])[] = []
  for (const [name, given] of Object.entries(sample)) {
    const value = name === runField ? String(given) : given
    const type = typeOf(value)
    if (!fields.has(name) && fields.size < maxFields && isColumnName(name)) {
      fields.set(name, type)
      added.push([name, type])
    }
    if (fields.get(name) === type) values.set(name, value)
    else overflow.push([name, value])
  }
  const rest = overflow.length === 0 ? null : JSON.stringify(Object.fromEntries(overflow))
  return { values, added, overflow: rest }
}

function isColumnName(name: string): boolean {
  return isName(name) && !reservedColumns.includes(name)
}

function typeOf(value: FieldValue): FieldType {
  if (typeof value === 'number') return 'DOUBLE'
  return typeof value === 'string' ? 'VARCHAR' : 'BOOLEAN'
}
