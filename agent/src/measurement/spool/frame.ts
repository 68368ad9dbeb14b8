import { fstatSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/**
 * A part of a segment of the spool: a header, little endian, then the payload: JSON in UTF-8, or blocks (`block-group.ts`).
 *
 *     u32 payload bytes | u32 CRC-32 of the rest | key | u64 first seq | u32 number of samples | payload
 *
 * The key is that of the spool: eight random bytes, which no sliver can know. So a text in a sample that looks like a frame is never taken for one, whatever is damaged. The
 * first frame of a segment has none, and those of segments before version 3 have none either.
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

/** The key of a spool's frames; null: they have none. */
export type FrameKey = Buffer | null

/** The bytes of a key. */
export const frameKeyBytes = 8
/** The bytes of a header without a key, and of what is before the key. */
const [headerBytes, keyAt] = [20, 8]
/** The longest payload, in bytes. A longer length means damage. */
const maxPayloadBytes = 64 * 1024 * 1024

/** Encode a frame whose payload is JSON, without a key. */
export function encodeFrame(firstSeq: number, count: number, document: unknown): Buffer {
  return encodePayload(firstSeq, count, {
    payload: Buffer.from(JSON.stringify(document)),
    key: null,
  })
}

/** Encode a frame. */
export function encodePayload(
  firstSeq: number,
  count: number,
  { payload, key }: { readonly payload: Buffer; readonly key: FrameKey },
): Buffer {
  const seqAt = keyAt + (key?.length ?? 0)
  const frame = Buffer.allocUnsafe(seqAt + headerBytes - keyAt + payload.length)
  frame.writeUInt32LE(payload.length, 0)
  key?.copy(frame, keyAt)
  frame.writeBigUInt64LE(BigInt(firstSeq), seqAt)
  frame.writeUInt32LE(count, seqAt + 8)
  payload.copy(frame, seqAt + 12)
  frame.writeUInt32LE(crc32(frame.subarray(keyAt)), 4)
  return frame
}

/**
 * Find the next whole frame in a damaged file that begins after an offset and has samples from a seq on; null when there is none. This is slow, and reads the file into
 * memory.
 */
export function findFrame(
  file: number,
  after: number,
  { fromSeq, key }: { readonly fromSeq: number; readonly key: FrameKey },
): number | null {
  const { size } = fstatSync(file)
  const content = Buffer.allocUnsafe(size)
  readSync(file, content, 0, size, 0)
  const seqAt = keyAt + (key?.length ?? 0)
  const longestHeader = seqAt + headerBytes - keyAt
  for (let position = after + 1; position + longestHeader <= size; position++) {
    if (key !== null) {
      const found = content.indexOf(key, position + keyAt)
      if (found < 0) return null
      position = found - keyAt
      if (position + longestHeader > size) return null
    }
    const isWhole = position + longestHeader + content.readUInt32LE(position) <= size
    // A damaged offset would be read as a seq that no spool ever reaches.
    if (!isWhole || content.readUInt32LE(position + seqAt + 4) > 0xffff) continue
    if (content.readBigUInt64LE(position + seqAt) < BigInt(fromSeq)) continue
    if (readFrame(file, position, key) !== null) return position
  }
  return null
}

/** Read the frame at a position of a file; null at the file's end, and when the frame is torn or damaged, or has another key. */
export function readFrame(file: number, position: number, key: FrameKey): Frame | null {
  const seqAt = keyAt + (key?.length ?? 0)
  const header = Buffer.allocUnsafe(seqAt + headerBytes - keyAt)
  if (readSync(file, header, 0, header.length, position) < header.length) return null
  const payloadBytes = header.readUInt32LE(0)
  if (payloadBytes > maxPayloadBytes) return null
  if (key !== null && !header.subarray(keyAt, seqAt).equals(key)) return null
  const payload = Buffer.allocUnsafe(payloadBytes)
  if (readSync(file, payload, 0, payloadBytes, position + header.length) < payloadBytes) return null
  if (crc32(payload, crc32(header.subarray(keyAt))) !== header.readUInt32LE(4)) return null
  return {
    firstSeq: Number(header.readBigUInt64LE(seqAt)),
    count: header.readUInt32LE(seqAt + 8),
    payload,
    bytes: header.length + payloadBytes,
  }
}
