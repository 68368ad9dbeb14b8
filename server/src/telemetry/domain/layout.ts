import {
  checkFieldName,
  kindOf,
  kindSuffixes,
  type DeclaredFields,
  type FieldKind,
  type FieldValue,
} from '@community-lab/contract/samples'

/** DuckDB's type of a column that holds values of this kind. */
export const columnTypes = {
  number: 'DOUBLE',
  integer: 'HUGEINT',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
} as const satisfies Record<FieldKind, string>

/** The columns that every table has, with DuckDB's types. Readers get them in this order. */
export const firstColumns = [
  ['time', 'TIMESTAMP'],
  ['node', 'VARCHAR'],
  ['node_id', 'INTEGER'],
  ['sliver', 'VARCHAR'],
  ['seq', 'BIGINT'],
  ['spool', 'VARCHAR'],
  ['landed', 'BIGINT'],
  ['overflow', 'VARCHAR'],
] as const

/** The field that names a run. It is always text, so that `run=5` and `run="5"` are one run. */
export const runField = 'run'

/**
 * A field of a table. Usually all its values are of one kind, and its column has the field's name. Values of another kind have a column of their own,
 * `<field>_as_<kind>`.
 */
export interface Field {
  /** The kind whose column has the field's name. */
  first: FieldKind
  /** The number of values of each kind. Each kind in this map has a column. */
  readonly counts: Map<FieldKind, number>
  /** Whether `counts` and `isWhole` are right. After the file was opened they are unknown until the rows of the field are counted. */
  isCounted: boolean
  /** Whether every number is an integer of at most 2^53, so that a column of integers can hold them all. */
  isWhole: boolean
  /** Whether the first kind is declared. A declared kind stays first, whatever samples come. */
  readonly isDeclared: boolean
}

/** The fields of a table by name. */
export type Fields = Map<string, Field>

/** A change of a table's columns. `widen`: a column of numbers becomes one of integers. */
export type ColumnChange =
  | { readonly do: 'add'; readonly column: string; readonly type: string }
  | { readonly do: 'rename'; readonly column: string; readonly to: string }
  | { readonly do: 'widen'; readonly column: string }

/** The number of columns that a table may get. */
export interface ColumnBounds {
  /** The most columns of fields in the table. */
  readonly maxColumns: number
  /** The most columns that one sample may add. */
  readonly maxNew: number
}

/** The fields of a sample, assigned to the columns of a table. */
export interface Fitted {
  /** The values by field. {@link kindIn} tells the column of each. */
  readonly values: ReadonlyMap<string, FieldValue>
  /** JSON of the fields that have no column; null when all have one. */
  readonly overflow: string | null
  /** The first field that has no column because a bound was reached; null when there is no such field. */
  readonly withoutRoom: string | null
  /** The changes that the table needs for this sample, in order. */
  readonly changes: readonly ColumnChange[]
}

/** The name of the column that holds a field's values of a kind. */
export function columnOf(name: string, field: Field, kind: FieldKind): string {
  return kind === field.first ? name : name + kindSuffixes[kind]
}

/** Return the kind as which a field stores a value. A whole number is stored as an integer when the first kind is integers. */
export function kindIn(field: Field, value: FieldValue): FieldKind {
  const kind = kindOf(value)
  const isAmongIntegers = field.first === 'integer' || !field.counts.has('number')
  return kind === 'number' && Number.isSafeInteger(value) && isAmongIntegers && hasIntegers(field)
    ? 'integer'
    : kind
}

/** Declare the fields of a table. Each gets its column, whatever the first samples are. Returns the changes of the table. */
export function declareFields(fields: Fields, declared: DeclaredFields): ColumnChange[] {
  return Object.entries(declared).flatMap(([name, kind]) => {
    const known = fields.get(name)
    if (known === undefined) {
      fields.set(name, newField(kind, true))
      return [addColumn(name, kind)]
    }
    if (known.isDeclared) return []
    const field = { ...known, isDeclared: true }
    fields.set(name, field)
    return known.first === kind ? [] : putFirst(name, field, kind)
  })
}

/**
 * Assign the fields of a sample to columns of a table. A value of another kind than the first kind of its field gets a column beside it. A field goes to
 * `overflow` when its name cannot be a column or when a bound is reached. `fields` is updated.
 */
export function fitFields(
  sample: Readonly<Record<string, FieldValue>>,
  fields: Fields,
  { maxColumns, maxNew }: ColumnBounds,
): Fitted {
  let added = 0
  const values = new Map<string, FieldValue>()
  const changes: ColumnChange[] = []
  const overflow: (readonly [string, FieldValue])[] = []
  let withoutRoom: string | null = null
  for (const [name, given] of Object.entries(sample)) {
    const value = name === runField ? runText(given) : given
    const fits = fields.has(name) || checkFieldName(name) === null
    const hasRoom = (): boolean => added < maxNew && countColumns(fields) < maxColumns
    const change = fits ? fitValue(name, value, { fields, hasRoom }) : null
    if (change === null) {
      overflow.push([name, value])
      if (fits) withoutRoom ??= name
    } else {
      values.set(name, value)
      changes.push(...change)
      added += change.filter((each) => each.do === 'add').length
    }
  }
  const rest = overflow.length === 0 ? null : JSON.stringify(Object.fromEntries(overflow))
  return { values, changes, overflow: rest, withoutRoom }
}

/**
 * Give the name of each field to the kind of most of its values. Another kind takes the name as soon as it has twice as many values as the first kind, so one
 * odd value at the beginning decides nothing. Returns the changes of the table.
 */
export function settleFields(fields: Fields): ColumnChange[] {
  return [...fields].flatMap(([name, field]) => {
    if (field.counts.size < 2 || field.isDeclared || !field.isCounted) return []
    const ranked = [...field.counts].sort(([, one], [, other]) => other - one)
    const [kind, count] = ranked[0] ?? [field.first, 0]
    const isFirst = kind === field.first || count < 2 * (field.counts.get(field.first) ?? 0)
    return isFirst ? [] : putFirst(name, field, kind)
  })
}

/**
 * Return the fields whose values must be counted before a sample is assigned to columns. The sample has a value of another kind than the first kind of these
 * fields.
 */
export function uncountedFields(
  sample: Readonly<Record<string, FieldValue>>,
  fields: Fields,
): readonly string[] {
  return Object.entries(sample).flatMap(([name, value]) => {
    const field = fields.get(name)
    return field !== undefined && !field.isCounted && kindIn(field, value) !== field.first
      ? [name]
      : []
  })
}

/** Count the columns of the fields. */
function countColumns(fields: Fields): number {
  let count = 0
  for (const { counts } of fields.values()) count += counts.size
  return count
}

/** List the columns of the fields, in the order of the fields: the name, DuckDB's type, and the field and kind of the values. */
export function listColumns(
  fields: Fields,
): readonly { readonly column: string; readonly name: string; readonly kind: FieldKind }[] {
  return [...fields].flatMap(([name, field]) =>
    [...field.counts.keys()]
      .sort((one, other) => Number(other === field.first) - Number(one === field.first))
      .map((kind) => ({ column: columnOf(name, field, kind), name, kind })),
  )
}

/** Derive the fields of a table from its columns. */
export function readFields(
  columns: readonly { readonly column: string; readonly kind: FieldKind }[],
): Fields {
  const fields: Fields = new Map()
  const names = new Set(columns.map(({ column }) => column))
  for (const { column, kind } of columns) {
    const base = column.slice(0, -kindSuffixes[kind].length)
    const isBeside = column.endsWith(kindSuffixes[kind]) && names.has(base)
    if (!isBeside) fields.set(column, { ...newField(kind, false), isCounted: false })
  }
  for (const { column, kind } of columns)
    if (!fields.has(column))
      fields.get(column.slice(0, -kindSuffixes[kind].length))?.counts.set(kind, 0)
  return fields
}

function fitValue(
  name: string,
  value: FieldValue,
  { fields, hasRoom }: { readonly fields: Fields; readonly hasRoom: () => boolean },
): readonly ColumnChange[] | null {
  const known = fields.get(name)
  if (known === undefined) {
    if (!hasRoom()) return null
    const field = newField(kindOf(value), false)
    fields.set(name, field)
    count(field, value)
    return [addColumn(name, field.first)]
  }
  const kind = kindIn(known, value)
  if (kind === 'integer' && canWiden(known)) return widen(name, known, value)
  if (!known.counts.has(kind)) {
    if (!hasRoom()) return null
    known.counts.set(kind, 0)
    count(known, value)
    return [addColumn(columnOf(name, known, kind), kind)]
  }
  count(known, value)
  return []
}

function canWiden({ first, counts, isWhole, isDeclared }: Field): boolean {
  return first === 'number' && isWhole && !isDeclared && !counts.has('integer')
}

/** Turn all numbers of a field into integers, which is exact. */
function widen(name: string, field: Field, value: FieldValue): readonly ColumnChange[] {
  const { counts } = field
  counts.set('integer', counts.get('number') ?? 0)
  counts.delete('number')
  field.first = 'integer'
  count(field, value)
  return [{ do: 'widen', column: name }]
}

function count(field: Field, value: FieldValue): void {
  const kind = kindIn(field, value)
  field.counts.set(kind, (field.counts.get(kind) ?? 0) + 1)
  if (kind === 'number' && !Number.isSafeInteger(value)) field.isWhole = false
}

/** Swap the names of two columns of a field. When the kind has no column yet, add one. */
function putFirst(name: string, field: Field, kind: FieldKind): ColumnChange[] {
  const before = field.first
  const hasColumn = field.counts.has(kind)
  const beside = name + kindSuffixes[kind]
  field.first = kind
  if (!hasColumn) field.counts.set(kind, 0)
  return [
    { do: 'rename', column: name, to: name + kindSuffixes[before] },
    hasColumn ? { do: 'rename', column: beside, to: name } : addColumn(name, kind),
  ]
}

function hasIntegers({ counts }: Field): boolean {
  return counts.has('integer')
}

function newField(first: FieldKind, isDeclared: boolean): Field {
  return { first, counts: new Map([[first, 0]]), isCounted: true, isWhole: true, isDeclared }
}

function addColumn(column: string, kind: FieldKind): ColumnChange {
  return { do: 'add', column, type: columnTypes[kind] }
}

function runText(value: FieldValue): string {
  return typeof value === 'object' ? value.number : String(value)
}
