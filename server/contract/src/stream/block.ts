import type { FieldKind } from '../field-number.ts'

/**
 * A block: the columns of some consecutive samples, as they are stored in a spool and sent. All numbers are little endian, and every part begins at a multiple
 * of eight bytes, so that columns can be read in place.
 *
 *     block     u16 rows | u16 sections | u32 bytes of the block
 *               for each section: u16 number of its shape | u16 rows | u32 bytes
 *               the sections
 *     section   u8 encoding of the times | u8 encoding of the places | u16 first place | u32 zero
 *               f64 time of the first row, in microseconds since the epoch
 *               the times
 *               the places
 *               u8 encoding of each column, in the order of the shape's fields
 *               the columns
 *
 * A section has the samples of one shape. The sample at place p of a block is the one with the number `first seq + p`. The encodings:
 *
 *     times     {@link timeEncodings}
 *     places    0: from the first place on, without a gap; 1: u16 each
 *     number    {@link numberEncodings}
 *     integer   0: 16 bytes each, two's complement
 *     boolean   0: one byte each, 0 or 1
 *     text      0: a dictionary: u16 entries, u8 width, u8 zero, u32 bytes of the texts; u16 bytes of each text; the texts in UTF-8; for each row its entry as a
 *               number of `width` bytes, which are 0 when there is one entry, 1, or 2
 */
export const blockVersion = 1

/** How the times of a section are encoded: all as the first; as u32, in microseconds since the first; as f64. */
export const timeEncodings = { same: 0, since: 1, each: 2 } as const
/** How a column of numbers is encoded: one f64 for all rows; f64 each; i32 each. */
export const numberEncodings = { same: 0, double: 1, int: 2 } as const

/** The most samples in a block. */
export const maxBlockRows = 2_000
/** The most bytes of a block. */
export const maxBlockBytes = 768 * 1024
/** The most values of fields in a block. */
export const maxBlockValues = 65_536
/** The most fields in a shape. */
export const maxShapeFields = 1_024
/** The longest text of a field, in UTF-16 code units. */
export const maxTextLength = 4_096

/** The bytes of a block's head, and of each section in it. */
export const blockHeadBytes = 8
/** The bytes of a section's head. */
export const sectionHeadBytes = 16
/** The bytes of an integer. */
export const integerBytes = 16

/** Round up to a multiple of eight. */
export function padded(bytes: number): number {
  return (bytes + 7) & ~7
}

/** The bytes of a value of a fixed size. */
export const valueBytes: Readonly<Record<Exclude<FieldKind, 'text'>, number>> = {
  number: 8,
  integer: integerBytes,
  boolean: 1,
}

/** Memory in which blocks are read and written in place. Its beginning is at a multiple of eight bytes. */
export class BlockMemory {
  readonly bytes: Uint8Array
  readonly shorts: Uint16Array
  readonly ints: Int32Array
  readonly words: Uint32Array
  readonly doubles: Float64Array

  /** @param buffer - Its size is a multiple of eight. */
  constructor(buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer)
    this.shorts = new Uint16Array(buffer)
    this.ints = new Int32Array(buffer)
    this.words = new Uint32Array(buffer)
    this.doubles = new Float64Array(buffer)
  }
}

/**
 * The bytes before a block in the binary frame that has it: u8 1, seven times zero, and the number of its first sample as f64.
 */
export const blockFrameHeadBytes = 16

/** Write the binary frame of a block. */
export function blockFrame(firstSeq: number, block: Uint8Array): Uint8Array {
  const frame = new Uint8Array(blockFrameHeadBytes + block.length)
  frame[0] = 1
  new DataView(frame.buffer).setFloat64(8, firstSeq, true)
  frame.set(block, blockFrameHeadBytes)
  return frame
}

/** Replace the numbers of shapes in the frame of a block, which are places in a list, by those of a connection. */
export function numberShapes(frame: Uint8Array, numbers: readonly number[]): void {
  const view = new DataView(frame.buffer, frame.byteOffset + blockFrameHeadBytes)
  const sections = view.getUint16(2, true)
  for (let section = 1; section <= sections; section++) {
    const at = blockHeadBytes * section
    view.setUint16(at, numbers[view.getUint16(at, true)] ?? 0, true)
  }
}
