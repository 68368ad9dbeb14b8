import {
  checkFieldName,
  kindOf,
  kindSuffixes,
  type DeclaredFields,
  type FieldKind,
  type FieldValue,
} from '@community-lab/contract'

/** DuckDB's type of a column that holds values of a kind. */
export const columnTypes = {
  number: 'DOUBLE',
  integer: 'HUGEINT',
  text: 'VARCHAR',
  boolean: 'BOOLEAN',
} as const satisfies Record<FieldKind, string>

/** The columns that every table has, in the order in which readers get them, with DuckDB's types. */
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

/** The field that names a run; always text, so that `run=5` and `run="5"` are one run. */
export const runField = 'run'

/**
 * A field of a table. Its values are of one kind as a rule, and in one column that has the field's name. Values of another kind have a column of their own,
 * `<field>_as_<kind>`.
 */
export interface Field {
  /** The kind whose column has the field's name. */
  first: FieldKind
  /** How many values of each kind there are; the kinds that have a column. */
  readonly counts: Map<FieldKind, number>
  /** Whether `counts` and `isWhole` are right. After the file was opened they are unknown until the rows of the field are counted. */
  isCounted: boolean
  /** Whether every number is an integer up to 2^53, so that a column of integers can hold them all. */
  isWhole: boolean
  /** Whether the first kind is declared, and stays whatever comes. */
  readonly isDeclared: boolean
}

/** The fields of a table by name. */
export type Fields = Map<string, Field>

/** A change of a table's columns. `widen`: a column of numbers becomes one of integers. */
export type ColumnChange =
  | { readonly do: 'add'; readonly column: string; readonly type: string }
  | { readonly do: 'rename'; readonly column: string; readonly to: string }
  | { readonly do: 'widen'; readonly column: string }

/** How many columns a table may get. */
export interface ColumnBounds {
  /** Columns of fields, all together. */
  readonly maxColumns: number
  /** Further columns for one sample. */
  readonly maxNew: number
}

/** A sample's fields, fitted into a table. */
export interface Fitted {
  /** By field; the column follows from the kind, see {@link kindIn}. */
  readonly values: ReadonlyMap<string, FieldValue>
  /** JSON of the fields that have no column; null when there is none. */
  readonly overflow: string | null
  /** The first field that has no column because the bounds leave no room for one; null when there is none. */
  readonly withoutRoom: string | null
  /** How the table changes for this sample, in order. */
  readonly changes: readonly ColumnChange[]
}

/** The name of the column that holds a field's values of a kind. */
export function columnOf(name: string, field: Field, kind: FieldKind): string {
  return kind === field.first ? name : name + kindSuffixes[kind]
}

/** The kind as which a field keeps a value: a whole number is kept among the integers where those come first. */
export function kindIn(field: Field, value: FieldValue): FieldKind {
  const kind = kindOf(value)
  const isAmongIntegers = field.first === 'integer' || !field.counts.has('number')
  return kind === 'number' && Number.isSafeInteger(value) && isAmongIntegers && hasIntegers(field)
    ? 'integer'
    : kind
}

/** Declare a table's fields: each gets its column, whatever the first samples are. Returns the changes of the table. */
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
 * Fit a sample's fields into a table's columns. A value of another kind than its field's first gets a column beside it. A name that cannot be a column,
 * and what is beyond the bounds, goes to `overflow`. `fields` is brought up to date.
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
 * Give each field's name to the kind that most of its values have. Another kind takes the name as soon as it has twice as many values as the first one, so one
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

/** The fields whose counts must be known before a sample is fitted: it has a value of another kind than their first. */
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

/** How many columns the fields have. */
function countColumns(fields: Fields): number {
  let count = 0
  for (const { counts } of fields.values()) count += counts.size
  return count
}

/** The columns of the fields, in the order of the fields: name, DuckDB's type, and whose values they hold. */
export function listColumns(
  fields: Fields,
): readonly { readonly column: string; readonly name: string; readonly kind: FieldKind }[] {
  return [...fields].flatMap(([name, field]) =>
    [...field.counts.keys()]
      .sort((one, other) => Number(other === field.first) - Number(one === field.first))
      .map((kind) => ({ column: columnOf(name, field, kind), name, kind })),
  )
}

/** Read a table's fields off its columns. */
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

/** All numbers there are become integers, which is exact. */
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

/** Swap the names of two columns of a field, or add the one that comes first. */
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
