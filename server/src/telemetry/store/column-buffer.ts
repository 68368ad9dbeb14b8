import type { FieldKind } from '@community-lab/contract/samples'
import duckdb, { type Vector } from '@duckdb/node-bindings'
import type { firstColumns } from '../domain/layout.ts'

/** The number of values in one of DuckDB's vectors. */
export const chunkRows = 2048

/** The bytes of a value in DuckDB's vectors. Source: `duckdb.h`, `duckdb_string_t` and `duckdb_hugeint`. */
const valueBytes = {
  TIMESTAMP: 8,
  VARCHAR: 16,
  INTEGER: 4,
  BIGINT: 8,
  HUGEINT: 16,
  DOUBLE: 8,
  BOOLEAN: 1,
} as const
/** DuckDB's types of columns. */
export type ColumnType = keyof typeof valueBytes

const two32 = 2 ** 32
/** The longest text that a vector has in place, in bytes. Source: `duckdb.h`, `duckdb_string_t`. */
const inlineBytes = 12
const encoder = new TextEncoder()

/**
 * The values of a column for one chunk. They are written into memory of this process and then copied into DuckDB's vector at once: a call of DuckDB for each value
 * takes ten times as long. A row that is not written is null.
 */
export class ColumnBuffer {
  readonly type: ColumnType
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #isValid = new Uint32Array(chunkRows / 32)
  /** The rows of each text that is too long to be in place. */
  readonly #long = new Map<string, number[]>()

  constructor(type: ColumnType) {
    const buffer = new ArrayBuffer(chunkRows * valueBytes[type])
    this.type = type
    this.bytes = new Uint8Array(buffer)
    this.#words = new Uint32Array(buffer)
    this.doubles = new Float64Array(buffer, 0, buffer.byteLength >> 3)
  }

  /** Note that rows from one to before another have values. */
  mark(from: number, until: number): void {
    for (let row = from; row < until; row++)
      this.#isValid[row >> 5] = (this.#isValid[row >> 5] ?? 0) | (1 << (row & 31))
  }

  /** Write a whole number, which a double holds exactly, into a column of 64 bits. {@link mark} it, too. */
  putLong(row: number, value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no whole number`)
    // Both parts are taken modulo 2^32, which is two's complement.
    this.#words[2 * row] = value
    this.#words[2 * row + 1] = Math.floor(value / two32)
  }

  /** Write a whole number, which a double holds exactly, into a column of 128 bits. {@link mark} it, too. */
  putHuge(row: number, value: number): void {
    this.#words[4 * row] = value
    this.#words[4 * row + 1] = Math.floor(value / two32)
    this.#words[4 * row + 2] = this.#words[4 * row + 3] = value < 0 ? -1 : 0
  }

  /** Write an integer of up to 127 bits. {@link mark} it, too. */
  putBigInt(row: number, value: bigint): void {
    for (let word = 0; word < 4; word++)
      this.#words[4 * row + word] = Number(BigInt.asUintN(32, value >> BigInt(32 * word)))
  }

  /** Write a whole number of 32 bits. {@link mark} it, too. */
  putInt(row: number, value: number): void {
    this.#words[row] = value
  }

  /** Write a text. {@link mark} it, too. */
  putText(row: number, text: string): void {
    const words = inlineOf(text)
    if (words === null) {
      const rows = this.#long.get(text)
      if (rows === undefined) this.#long.set(text, [row])
      else rows.push(row)
      return
    }
    this.#words.set(words, 4 * row)
  }

  /** Copy the rows into a vector, and begin again. */
  flush(vector: Vector, rows: number): void {
    if (this.#long.size > 0) this.#assignLong(vector, rows)
    const { buffer } = this.bytes as Uint8Array<ArrayBuffer>
    duckdb.copy_data_to_vector(vector, 0, buffer, 0, rows * valueBytes[this.type])
    if (!this.#hasAll(rows)) {
      duckdb.vector_ensure_validity_writable(vector)
      const words = 2 * Math.ceil(rows / 64)
      duckdb.copy_data_to_vector_validity(vector, 0, this.#isValid.buffer, 0, 4 * words)
    }
    this.reset()
  }

  /** Forget what was written. */
  reset(): void {
    this.#isValid.fill(0)
    this.#long.clear()
  }

  /** Tell whether all rows have values. They are looked at and not counted: a row of stale memory must never be taken for a value. */
  #hasAll(rows: number): boolean {
    for (let word = 0; 32 * word < rows; word++) {
      const inWord = Math.min(32, rows - 32 * word)
      if ((this.#isValid[word] ?? 0) !== (inWord === 32 ? 0xffff_ffff : 2 ** inWord - 1))
        return false
    }
    return true
  }

  /** Let the vector keep each long text once, and refer to it in all of its rows. */
  #assignLong(vector: Vector, rows: number): void {
    for (const [text, [first = 0]] of this.#long)
      duckdb.vector_assign_string_element(vector, first, text)
    const assigned = duckdb.vector_get_data(vector, rows * valueBytes.VARCHAR)
    for (const own of this.#long.values()) {
      const from = (own[0] ?? 0) * valueBytes.VARCHAR
      const reference = assigned.subarray(from, from + valueBytes.VARCHAR)
      for (const row of own) this.bytes.set(reference, row * valueBytes.VARCHAR)
    }
  }
}

/** Names of nodes and slivers come again with each row. */
const inlines = new Map<string, Uint32Array>()
const mostInlines = 10_000

/** Return a text as a vector has it in place; null when it is too long for that. */
function inlineOf(text: string): Uint32Array | null {
  if (text.length > inlineBytes) return null
  const known = inlines.get(text)
  if (known !== undefined) return known
  const bytes = encoder.encode(text)
  if (bytes.length > inlineBytes) return null
  const words = new Uint32Array(4)
  words[0] = bytes.length
  new Uint8Array(words.buffer).set(bytes, 4)
  if (inlines.size >= mostInlines) inlines.clear()
  inlines.set(text, words)
  return words
}

/** Buffers that are not used at present, so that a commit makes none. */
const pool = new Map<ColumnType, ColumnBuffer[]>()
/** The most buffers of a type that are kept. */
const mostPooled = 64

/** Take an empty buffer. */
export function takeBuffer(type: ColumnType): ColumnBuffer {
  return pool.get(type)?.pop() ?? new ColumnBuffer(type)
}

/** Give a buffer back. */
export function giveBuffer(buffer: ColumnBuffer): void {
  const kept = pool.get(buffer.type) ?? []
  pool.set(buffer.type, kept)
  buffer.reset()
  if (kept.length < mostPooled) kept.push(buffer)
}

/** The columns that every table has. */
export type FirstColumns = Readonly<Record<(typeof firstColumns)[number][0], ColumnBuffer>>

/** The columns of a table, while rows are written into them. */
export interface TableColumns {
  readonly first: FirstColumns
  /** The column of a field's values of a kind. */
  readonly fields: ReadonlyMap<string, Partial<Record<FieldKind, ColumnBuffer>>>
}
