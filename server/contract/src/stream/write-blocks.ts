import { decodeNumber, type FieldKind } from '../field-number.ts'
import type { FieldValue } from '../field-value.ts'
import {
  blockHeadBytes,
  BlockMemory,
  integerBytes,
  maxBlockRows,
  maxBlockValues,
  numberEncodings,
  padded,
  sectionHeadBytes,
  timeEncodings,
} from './block.ts'
import { hasShape, shapeOf, type Shape, type UnnumberedSample } from './shape.ts'

/** Samples in blocks. */
export interface WrittenBlocks {
  /** The shapes, to whose places in this list the blocks refer. */
  readonly shapes: readonly Shape[]
  /** The blocks, in the order of the samples. */
  readonly blocks: readonly Uint8Array[]
}

/** A block ends before it has more than about this many bytes. */
const wantedBytes = 256 * 1024
/** The number of bytes of a time, a place, and what a short sample needs of heads. */
const rowBytes = 32
const encoder = new TextEncoder()

interface Part {
  readonly shape: number
  readonly fields: Shape['fields']
  readonly places: number[]
}

/** The shapes of samples, with their numbers. */
class ShapeList {
  readonly shapes: Shape[] = []
  /** By their JSON, when there are too many to be looked through. */
  #numbers: Map<string, number> | null = null

  /** Return the number of a sample's shape. */
  numberOf(sample: UnnumberedSample): number {
    if (this.shapes.length <= fewShapes) {
      const known = this.shapes.findIndex((shape) => hasShape(sample, shape))
      return known < 0 ? this.shapes.push(shapeOf(sample)) - 1 : known
    }
    this.#numbers ??= new Map(this.shapes.map((shape, at) => [JSON.stringify(shape), at]))
    const shape = shapeOf(sample)
    const key = JSON.stringify(shape)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.shapes.length)
    return this.shapes.push(shape) - 1
  }
}

/** Looking through so many shapes takes less than making the key of one. */
const fewShapes = 8

/** Write samples as blocks, see {@link blockVersion}. They have the same order. */
export function writeBlocks(samples: readonly UnnumberedSample[]): WrittenBlocks {
  const list = new ShapeList()
  const blocks: Uint8Array[] = []
  for (let from = 0; from < samples.length;) {
    const { parts, until, bytes } = divide(samples, from, list)
    blocks.push(writeBlock(samples, { parts, from, until, bytes }))
    from = until
  }
  return { shapes: list.shapes, blocks }
}

/** Find the samples of the next block, by their shapes, and the most bytes that they take. */
function divide(
  samples: readonly UnnumberedSample[],
  from: number,
  list: ShapeList,
): { readonly parts: readonly Part[]; readonly until: number; readonly bytes: number } {
  const parts: Part[] = []
  const partOfShape = new Map<number, Part>()
  let last: Part | undefined
  let bytes = blockHeadBytes
  let values = 0
  let at = from
  for (; at < samples.length && at - from < maxBlockRows; at++) {
    const sample = samples[at]
    if (sample === undefined) break
    const isSame = last !== undefined && hasShape(sample, list.shapes[last.shape] ?? noShape)
    const fields = last !== undefined && isSame ? last.fields.length : countFields(sample)
    const most = mostBytes(sample)
    if (at > from && (bytes + most > wantedBytes || values + fields > maxBlockValues)) break
    bytes += most
    values += fields
    if (last === undefined || !isSame) {
      const shape = list.numberOf(sample)
      last = partOfShape.get(shape)
      if (last === undefined) {
        last = { shape, fields: list.shapes[shape]?.fields ?? [], places: [] }
        parts.push(last)
        partOfShape.set(shape, last)
        bytes += 2 * sectionHeadBytes + 24 + 32 * last.fields.length
      }
    }
    last.places.push(at - from)
  }
  return { parts, until: at, bytes }
}

const noShape: Shape = { source: '', name: '', fields: [] }

function countFields({ fields }: UnnumberedSample): number {
  return Object.keys(fields).length
}

function mostBytes({ fields }: UnnumberedSample): number {
  let bytes = rowBytes
  for (const field in fields) {
    const value = fields[field]
    // A UTF-16 code unit has three bytes in UTF-8 at most.
    if (typeof value === 'string') bytes += 3 * value.length + 4
    else bytes += typeof value === 'object' ? integerBytes : 8
  }
  return bytes
}

function writeBlock(
  samples: readonly UnnumberedSample[],
  block: {
    readonly parts: readonly Part[]
    readonly from: number
    readonly until: number
    readonly bytes: number
  },
): Uint8Array {
  const { parts, from, until } = block
  const directory = blockHeadBytes * (1 + parts.length)
  const memory = new BlockMemory(new ArrayBuffer(padded(block.bytes + directory)))
  let end = directory
  for (const [index, part] of parts.entries()) {
    const begin = end
    end = writeSection(memory, begin, { samples, from, part })
    const at = blockHeadBytes * (1 + index)
    memory.shorts[at / 2] = part.shape
    memory.shorts[at / 2 + 1] = part.places.length
    memory.words[at / 4 + 1] = end - begin
  }
  memory.shorts[0] = until - from
  memory.shorts[1] = parts.length
  memory.words[1] = end
  return memory.bytes.subarray(0, end)
}

function writeSection(
  memory: BlockMemory,
  begin: number,
  given: {
    readonly samples: readonly UnnumberedSample[]
    readonly from: number
    readonly part: Part
  },
): number {
  const { places, fields } = given.part
  const rows = places.map((place) => given.samples[given.from + place])
  const firstPlace = places[0] ?? 0
  const isDense = (places.at(-1) ?? 0) - firstPlace === places.length - 1
  const times = rows.map((row) => row?.time_us ?? 0)
  const firstUs = times[0] ?? 0
  const timeEncoding = encodingOfTimes(times, firstUs)
  memory.bytes[begin] = timeEncoding
  memory.bytes[begin + 1] = isDense ? 0 : 1
  memory.shorts[begin / 2 + 1] = firstPlace
  memory.doubles[begin / 8 + 1] = firstUs
  let at = begin + sectionHeadBytes
  if (timeEncoding === timeEncodings.since) {
    for (const [row, time] of times.entries()) memory.words[at / 4 + row] = time - firstUs
    at += padded(4 * times.length)
  } else if (timeEncoding === timeEncodings.each) {
    memory.doubles.set(times, at / 8)
    at += 8 * times.length
  }
  if (!isDense) {
    memory.shorts.set(places, at / 2)
    at += padded(2 * places.length)
  }
  const encodings = at
  at += padded(fields.length)
  for (const [column, [name, kind]] of fields.entries()) {
    const values = rows.map((row) => row?.fields[name])
    if (kind === 'number') {
      const { encoding, end } = writeNumbers(memory, at, values)
      memory.bytes[encodings + column] = encoding
      at = end
    } else at = writers[kind](memory, at, values)
  }
  return at
}

function encodingOfTimes(times: readonly number[], firstUs: number): number {
  let encoding: number = timeEncodings.same
  for (const time of times) {
    const since = time - firstUs
    if (since === 0) continue
    encoding = timeEncodings.since
    if (since < 0 || since > 0xffff_ffff || !Number.isInteger(since)) return timeEncodings.each
  }
  return encoding
}

type Values = readonly (FieldValue | undefined)[]

function writeNumbers(
  memory: BlockMemory,
  at: number,
  values: Values,
): { readonly encoding: number; readonly end: number } {
  const first = toNumber(values[0])
  let [isSame, isInt] = [true, true]
  for (let row = 0; row < values.length; row++) {
    const number = toNumber(values[row])
    memory.doubles[at / 8 + row] = number
    isSame &&= Object.is(number, first)
    isInt &&= (number | 0) === number && !Object.is(number, -0)
  }
  const most = at + 8 * values.length
  if (isSame) {
    memory.bytes.fill(0, at + 8, most)
    return { encoding: numberEncodings.same, end: at + 8 }
  }
  if (!isInt) return { encoding: numberEncodings.double, end: most }
  // Each integer is at or before its double, which was read before.
  for (let row = 0; row < values.length; row++)
    memory.ints[at / 4 + row] = memory.doubles[at / 8 + row] ?? 0
  memory.bytes.fill(0, at + 4 * values.length, most)
  return { encoding: numberEncodings.int, end: at + padded(4 * values.length) }
}

function toNumber(value: FieldValue | undefined): number {
  if (typeof value === 'number') return value
  return typeof value === 'object' ? Number(decodeNumber(value)) : 0
}

const writers: Readonly<
  Record<Exclude<FieldKind, 'number'>, (memory: BlockMemory, at: number, values: Values) => number>
> = {
  integer(memory, at, values) {
    const view = new DataView(memory.bytes.buffer)
    for (const [row, value] of values.entries()) {
      const integer = typeof value === 'object' ? BigInt(value.number) : 0n
      view.setBigUint64(at + integerBytes * row, BigInt.asUintN(64, integer), true)
      view.setBigInt64(at + integerBytes * row + 8, integer >> 64n, true)
    }
    return at + integerBytes * values.length
  },
  boolean(memory, at, values) {
    for (const [row, value] of values.entries()) memory.bytes[at + row] = value === true ? 1 : 0
    return at + padded(values.length)
  },
  text(memory, at, values) {
    const entries = new Map<string, number>()
    for (const value of values)
      if (typeof value === 'string' && !entries.has(value)) entries.set(value, entries.size)
    let textAt = at + 8 + 2 * entries.size
    const firstAt = textAt
    let lengthAt = at / 2 + 4
    for (const text of entries.keys()) {
      const { written } = encoder.encodeInto(text, memory.bytes.subarray(textAt))
      memory.shorts[lengthAt++] = written
      textAt += written
    }
    const width = entries.size === 1 ? 0 : entries.size <= 256 ? 1 : 2
    memory.shorts[at / 2] = entries.size
    memory.bytes[at + 2] = width
    memory.words[at / 4 + 1] = textAt - firstAt
    let end = textAt
    if (width > 0)
      for (const value of values) {
        const entry = typeof value === 'string' ? (entries.get(value) ?? 0) : 0
        memory.bytes[end++] = entry
        if (width === 2) memory.bytes[end++] = entry >> 8
      }
    return padded(end)
  },
}
