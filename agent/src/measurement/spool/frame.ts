import { fstatSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/**
 * A part of a segment of the spool: a header of 20 bytes, little endian, then the payload: JSON in UTF-8, or blocks
 * (`block-group.ts`).
 *
 *     u32 payload bytes | u32 CRC-32 of the rest | u64 first seq | u32 number of samples | payload
 *
 * One frame is one append: its samples and its marks are stored together or not at all.
 */
export interface Frame {
  readonly firstSeq: number
  /** The number of samples; 0 in a segment's first frame, and when only marks were set. */
  readonly count: number
  readonly payload: Buffer
  /** The bytes of the whole frame. */
  readonly bytes: number
}

const headerBytes = 20
/** The longest payload, in bytes. A longer length means damage. */
const maxPayloadBytes = 64 * 1024 * 1024

/** Encode a frame whose payload is JSON. */
export function encodeFrame(firstSeq: number, count: number, document: unknown): Buffer {
  return encodePayload(firstSeq, count, Buffer.from(JSON.stringify(document)))
}

/** Encode a frame. */
export function encodePayload(firstSeq: number, count: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length)
  frame.writeUInt32LE(payload.length, 0)
  frame.writeBigUInt64LE(BigInt(firstSeq), 8)
  frame.writeUInt32LE(count, 16)
  payload.copy(frame, headerBytes)
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
  return frame
}

/**
 * Find the next whole frame in a damaged file that begins after an offset and has samples from a seq on; null when there is none. This is slow, and reads the file into
 * memory.
 */
export function findFrame(file: number, after: number, fromSeq: number): number | null {
  const { size } = fstatSync(file)
  const content = Buffer.allocUnsafe(size)
  readSync(file, content, 0, size, 0)
  for (let position = after + 1; position + headerBytes <= size; position++) {
    const isWhole = position + headerBytes + content.readUInt32LE(position) <= size
    // A damaged offset would be read as a seq that no spool ever reaches.
    if (!isWhole || content.readUInt32LE(position + 12) > 0xffff) continue
    if (content.readBigUInt64LE(position + 8) < BigInt(fromSeq)) continue
    if (readFrame(file, position) !== null) return position
  }
  return null
}

/** Read the frame at a position of a file; null at the file's end, and when the frame is torn or damaged. */
export function readFrame(file: number, position: number): Frame | null {
  const header = Buffer.allocUnsafe(headerBytes)
  if (readSync(file, header, 0, headerBytes, position) < headerBytes) return null
  const payloadBytes = header.readUInt32LE(0)
  if (payloadBytes > maxPayloadBytes) return null
  const payload = Buffer.allocUnsafe(payloadBytes)
  if (readSync(file, payload, 0, payloadBytes, position + headerBytes) < payloadBytes) return null
  if (crc32(payload, crc32(header.subarray(8))) !== header.readUInt32LE(4)) return null
  return {
    firstSeq: Number(header.readBigUInt64LE(8)),
    count: header.readUInt32LE(16),
    payload,
    bytes: headerBytes + payloadBytes,
  }
}
