import { encodeNumber } from '../field-number.ts'
import type { FieldValue } from '../field-value.ts'
import {
  blockHeadBytes,
  type BlockMemory,
  integerBytes,
  maxBlockBytes,
  maxBlockRows,
  maxBlockValues,
  numberEncodings,
  padded,
  sectionHeadBytes,
  timeEncodings,
} from './block.ts'
import { readTexts, type Texts } from './read-texts.ts'
import type { Shape, ShapeField, UnnumberedSample } from './shape.ts'

/** A column of a section, of which every byte was checked. */
export interface Column {
  readonly field: ShapeField
  readonly encoding: number
  /** Where its values begin in the memory, in bytes. */
  readonly at: number
  /** The entries of a column of texts; null for other kinds. */
  readonly texts: Texts | null
}

/** The samples of one shape in a block. */
export interface Section<S extends Shape = Shape> {
  readonly shape: S
  readonly rows: number
  /** The place of the first row in the block. */
  readonly firstPlace: number
  /** Where the places of the rows begin in the memory, in u16; null when they have no gap. */
  readonly placesAt: number | null
  readonly timeEncoding: number
  /** The time of the first row, in microseconds since the epoch. Any number: it is not checked. */
  readonly firstUs: number
  /** Where the times begin in the memory, in bytes. */
  readonly timesAt: number
  readonly columns: readonly Column[]
}

/** The block, or what is wrong with it. */
export type BlockReading<S extends Shape> =
  | { readonly sections: readonly Section<S>[]; readonly fault?: undefined }
  | { readonly fault: string }

/** The fault of a block whose shape is not known. */
export const undefinedShape = 'a shape was not defined'

/** Where a block is, and the shapes of its connection by their numbers. */
export interface BlockPlace<S extends Shape> {
  readonly at: number
  readonly bytes: number
  readonly shapes: { get(number: number): S | undefined }
}

/** Read the head of a block: the number of its rows, and the numbers of its shapes. Null when it is no block. Never throws. */
export function readBlockHead(
  bytes: Uint8Array,
): { readonly rows: number; readonly shapes: readonly number[] } | null {
  if (bytes.length < 2 * blockHeadBytes || bytes.length > maxBlockBytes) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const rows = view.getUint16(0, true)
  const sections = view.getUint16(2, true)
  const isOne = rows > 0 && rows <= maxBlockRows && sections > 0 && sections <= rows
  if (!isOne || view.getUint32(4, true) !== bytes.length) return null
  if (blockHeadBytes * (1 + sections) > bytes.length) return null
  const shapes: number[] = []
  for (let section = 1; section <= sections; section++)
    shapes.push(view.getUint16(blockHeadBytes * section, true))
  return { rows, shapes }
}

/**
 * Read a block of a stranger in place, see `block.ts`. Every length, number and text is checked, so the values can be used without further checks. Never throws.
 */
export function readBlock<S extends Shape>(
  memory: BlockMemory,
  { at, bytes, shapes }: BlockPlace<S>,
): BlockReading<S> {
  const rows = memory.shorts[at / 2] ?? 0
  const count = memory.shorts[at / 2 + 1] ?? 0
  const sections: Section<S>[] = []
  let begin = at + blockHeadBytes * (1 + count)
  let rowsFound = 0
  let valuesFound = 0
  for (let index = 0; index < count; index++) {
    const entry = at + blockHeadBytes * (1 + index)
    const shape = shapes.get(memory.shorts[entry / 2] ?? 0)
    const own = memory.shorts[entry / 2 + 1] ?? 0
    const size = memory.words[entry / 4 + 1] ?? 0
    const end = begin + size
    if (shape === undefined) return { fault: undefinedShape }
    if (own === 0 || size % 8 !== 0 || end > at + bytes) return { fault: 'a section has no room' }
    rowsFound += own
    valuesFound += own * shape.fields.length
    if (rowsFound > rows || valuesFound > maxBlockValues) return { fault: 'it has too many values' }
    const section = readSection(memory, { begin, end, rows: own, shape })
    if (typeof section === 'string') return { fault: section }
    sections.push(section)
    begin = end
  }
  if (begin !== at + bytes || rowsFound !== rows) return { fault: 'its sections are not all of it' }
  return hasEachPlaceOnce(memory, sections, rows)
    ? { sections }
    : { fault: 'its sections do not have each place once' }
}

function readSection<S extends Shape>(
  memory: BlockMemory,
  given: {
    readonly begin: number
    readonly end: number
    readonly rows: number
    readonly shape: S
  },
): Section<S> | string {
  const { begin, end, rows, shape } = given
  if (begin + sectionHeadBytes > end) return 'a section has no head'
  const timeEncoding = memory.bytes[begin] ?? 0
  const placeEncoding = memory.bytes[begin + 1] ?? 0
  if (timeEncoding > timeEncodings.each || placeEncoding > 1) return 'an encoding is not known'
  const timesAt = begin + sectionHeadBytes
  const bytesOfTime = timeEncoding * 4
  const placesAt = timesAt + padded(bytesOfTime * rows)
  const encodingsAt = placesAt + (placeEncoding === 0 ? 0 : padded(2 * rows))
  let at = encodingsAt + padded(shape.fields.length)
  if (at > end) return 'a section is too short'
  const columns: Column[] = []
  for (let index = 0; index < shape.fields.length; index++) {
    const field = shape.fields[index]
    if (field === undefined) break
    const encoding = memory.bytes[encodingsAt + index] ?? 0
    const column = readColumn(memory, { field, encoding, at, end, rows })
    if (typeof column === 'string') return column
    columns.push(column.column)
    at = column.end
  }
  if (at !== end) return 'a section is longer than its columns'
  return {
    shape,
    rows,
    firstPlace: memory.shorts[begin / 2 + 1] ?? 0,
    placesAt: placeEncoding === 0 ? null : placesAt / 2,
    timeEncoding,
    firstUs: memory.doubles[begin / 8 + 1] ?? 0,
    timesAt,
    columns,
  }
}

function readColumn(
  memory: BlockMemory,
  given: {
    readonly field: ShapeField
    readonly encoding: number
    readonly at: number
    readonly end: number
    readonly rows: number
  },
): { readonly column: Column; readonly end: number } | string {
  const { field, encoding, at, end, rows } = given
  const kind = field[1]
  if (encoding > (kind === 'number' ? numberEncodings.int : 0)) return 'an encoding is not known'
  if (kind === 'text') {
    const texts = readTexts(memory, { at, end, rows })
    if (typeof texts === 'string') return texts
    return { column: { field, encoding, at, texts }, end: texts.end }
  }
  const bytes =
    kind === 'number'
      ? bytesOfNumbers(encoding, rows)
      : rows * (kind === 'integer' ? integerBytes : 1)
  if (at + padded(bytes) > end) return 'a column is too short'
  if (kind === 'integer')
    for (let row = 0; row < rows; row++)
      if (!isInteger(readInteger(memory, at + integerBytes * row)))
        return 'an integer has more than 38 digits'
  return { column: { field, encoding, at, texts: null }, end: at + padded(bytes) }
}

function bytesOfNumbers(encoding: number, rows: number): number {
  if (encoding === numberEncodings.same) return 8
  return encoding === numberEncodings.int ? 4 * rows : 8 * rows
}

/** Integers have at most 38 digits, and those that a double holds exactly are sent as numbers. */
function isInteger(value: bigint): boolean {
  return value > -mostInteger && value < mostInteger && !Number.isSafeInteger(Number(value))
}

const mostInteger = 10n ** 38n

function readInteger({ bytes }: BlockMemory, at: number): bigint {
  const view = new DataView(bytes.buffer, at, integerBytes)
  return (view.getBigInt64(8, true) << 64n) | view.getBigUint64(0, true)
}

function hasEachPlaceOnce(
  memory: BlockMemory,
  sections: readonly Section[],
  rows: number,
): boolean {
  const [only] = sections
  if (sections.length === 1 && only?.placesAt === null) return only.firstPlace === 0
  const found = new Uint8Array(rows)
  for (const section of sections) {
    let before = -1
    for (let row = 0; row < section.rows; row++) {
      const place = placeOf(memory, section, row)
      // The number of places is right, so each is there once when none is there twice.
      if (place >= rows || place <= before || found[place] === 1) return false
      found[place] = 1
      before = place
    }
  }
  return true
}

/** Return the place of a row in its block. */
export function placeOf(
  memory: BlockMemory,
  { placesAt, firstPlace }: Section,
  row: number,
): number {
  return placesAt === null ? firstPlace + row : (memory.shorts[placesAt + row] ?? 0)
}

/** Return the time of a row, in microseconds since the epoch. */
export function timeOf(
  memory: BlockMemory,
  { timeEncoding, firstUs, timesAt }: Section,
  row: number,
): number {
  if (timeEncoding === timeEncodings.same) return firstUs
  return timeEncoding === timeEncodings.since
    ? firstUs + (memory.words[timesAt / 4 + row] ?? 0)
    : (memory.doubles[timesAt / 8 + row] ?? 0)
}

/** Return the value of a row in a column of numbers. */
export function numberAt(memory: BlockMemory, { encoding, at }: Column, row: number): number {
  if (encoding === numberEncodings.int) return memory.ints[at / 4 + row] ?? 0
  return memory.doubles[encoding === numberEncodings.same ? at / 8 : at / 8 + row] ?? 0
}

/** Return the value of a row in a column of texts. */
export function textAt(memory: BlockMemory, texts: Texts, row: number): string {
  return texts.entries[entryAt(memory, texts, row)] ?? ''
}

/** Return which entry of the dictionary a row has. */
export function entryAt({ bytes }: BlockMemory, { width, at }: Texts, row: number): number {
  if (width === 0) return 0
  const index = at + width * row
  return (bytes[index] ?? 0) + (width === 2 ? 256 * (bytes[index + 1] ?? 0) : 0)
}

/** Return the value of a row in a column of integers. */
function integerAt(memory: BlockMemory, { at }: Column, row: number): bigint {
  return readInteger(memory, at + integerBytes * row)
}

/** Return the value of a row in a column. */
export function valueAt(memory: BlockMemory, column: Column, row: number): FieldValue {
  const { field, texts, at } = column
  if (texts !== null) return textAt(memory, texts, row)
  if (field[1] === 'boolean') return memory.bytes[at + row] !== 0
  if (field[1] === 'integer') return encodeNumber(integerAt(memory, column, row))
  return encodeNumber(numberAt(memory, column, row))
}

/** Return a row as a sample. */
export function sampleAt(memory: BlockMemory, section: Section, row: number): UnnumberedSample {
  const { source, name } = section.shape
  // A stranger's field may have any name, also `__proto__`.
  const fields = Object.fromEntries(
    section.columns.map((column) => [column.field[0], valueAt(memory, column, row)]),
  )
  return { time_us: timeOf(memory, section, row), source, name, fields }
}

/** Return all samples of a block, in their order. */
export function samplesIn(
  memory: BlockMemory,
  sections: readonly Section[],
): readonly UnnumberedSample[] {
  const samples: UnnumberedSample[] = []
  for (const section of sections)
    for (let row = 0; row < section.rows; row++)
      samples[placeOf(memory, section, row)] = sampleAt(memory, section, row)
  return samples
}
