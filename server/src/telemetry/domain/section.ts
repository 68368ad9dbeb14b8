import {
  numberAt,
  numberEncodings,
  sampleAt,
  timeOf,
  type BlockMemory,
  type Column,
  type FieldKind,
  type Section,
  type Shape,
} from '@community-lab/contract/samples'
import { checkDeclared, declaredFields } from './declared.ts'
import { runField, type Field, type Fields } from './layout.ts'
import { isName } from './name.ts'
import { isTime, maxSampleCharacters, type Owner } from './placement.ts'

/** A shape that a node has defined on its connection, and whose its samples are. */
export interface PlacedShape extends Shape {
  /** Null when its source is not of the node, or of no slice. */
  readonly owner: Owner | null
}

/** How the columns of a section fit into the columns of its table, without any change of the table. */
export interface SectionFit {
  /** The kind as which each column is stored, in the order of the section's columns. */
  readonly kinds: readonly FieldKind[]
  /** The times of the first and of the last sample, in microseconds since the epoch. */
  readonly firstUs: number
  readonly lastUs: number
  /** The characters of all samples together. */
  readonly characters: number
}

/**
 * Find out whether all samples of a section can be stored as they are, column by column. That is so for nearly all. Null when any sample could be refused or could change its table;
 * then each sample has to be looked at.
 */
export function fitSection(
  memory: BlockMemory,
  section: Section<PlacedShape>,
  fields: Fields,
): SectionFit | null {
  const { owner, name, fields: named } = section.shape
  if (owner === null || !isName(name)) return null
  const times = rangeOfTimes(memory, section)
  if (times === null) return null
  let characters = 0
  let mostOfOne = 0
  const kinds: FieldKind[] = []
  for (const column of section.columns) {
    const [fieldName, given] = column.field
    const field = fields.get(fieldName)
    if (field === undefined || (fieldName === runField && given !== 'text')) return null
    const kind = kindOfColumn(memory, column, { field, rows: section.rows })
    if (kind === null || !field.counts.has(kind)) return null
    // Another value than of the first kind could give the name of the column to its kind. So it has to be known how many there are.
    if (!field.isCounted && kind !== field.first) return null
    kinds.push(kind)
    const { texts } = column
    const { rows } = section
    characters += fieldName.length * rows + (texts === null ? 8 * rows : texts.characters)
    mostOfOne += fieldName.length + (texts === null ? 8 : longest(texts.entries))
  }
  if (mostOfOne > maxSampleCharacters) return null
  // All samples have values of the same kinds, so what is said of the first is true of all.
  if (
    declaredFields(owner.scope, name) !== null &&
    checkDeclared(owner.scope, name, sampleAt(memory, section, 0).fields) !== null
  )
    return null
  return named.length === kinds.length ? { kinds, ...times, characters } : null
}

/** Note in the fields of a table that the samples of a section were stored. */
export function countSection(
  memory: BlockMemory,
  section: Section,
  { fields, kinds }: { readonly fields: Fields; readonly kinds: readonly FieldKind[] },
): void {
  for (const [index, column] of section.columns.entries()) {
    const field = fields.get(column.field[0])
    const kind = kinds[index]
    if (field === undefined || kind === undefined) continue
    field.counts.set(kind, (field.counts.get(kind) ?? 0) + section.rows)
    if (kind === 'number' && field.isWhole && !isWhole(memory, column, section.rows))
      field.isWhole = false
  }
}

function kindOfColumn(
  memory: BlockMemory,
  column: Column,
  { field, rows }: { readonly field: Field; readonly rows: number },
): FieldKind | null {
  const given = column.field[1]
  const { first, counts } = field
  if (given === 'integer') return counts.has('integer') ? 'integer' : null
  if (given !== 'number' || !counts.has('integer')) return given
  // Whole numbers are stored among integers, where a field has those, see `kindIn`.
  if (first !== 'integer' && counts.has('number')) return 'number'
  if (column.encoding === numberEncodings.int) return 'integer'
  let whole = 0
  for (let row = 0; row < rows; row++)
    if (Number.isSafeInteger(numberAt(memory, column, row))) whole++
  if (whole === rows) return 'integer'
  return whole === 0 ? 'number' : null
}

function isWhole(memory: BlockMemory, column: Column, rows: number): boolean {
  if (column.encoding === numberEncodings.int) return true
  for (let row = 0; row < rows; row++)
    if (!Number.isSafeInteger(numberAt(memory, column, row))) return false
  return true
}

function rangeOfTimes(
  memory: BlockMemory,
  section: Section,
): { readonly firstUs: number; readonly lastUs: number } | null {
  let firstUs = Infinity
  let lastUs = -Infinity
  for (let row = 0; row < section.rows; row++) {
    const time = timeOf(memory, section, row)
    if (!isTime(time)) return null
    if (time < firstUs) firstUs = time
    if (time > lastUs) lastUs = time
  }
  return { firstUs, lastUs }
}

function longest(texts: readonly string[]): number {
  let most = 0
  for (const { length } of texts) if (length > most) most = length
  return most
}
