import {
  BlockMemory,
  padded,
  readBlock,
  readBlockHead,
  samplesIn,
  writeBlocks,
} from '@community-lab/contract'
import type { Sample } from '../sample.ts'
import { encodePayload, type FrameKey } from './frame.ts'
import { createShapeLists } from './shape-lists.ts'
import type { StoredBlock } from './spool.ts'

/** What the source of samples remembers together with them, by key. */
type Marks = Record<string, unknown>

/** The content of one append. A mark whose value is null is deleted. */
export interface Group {
  readonly samples: readonly Sample[]
  readonly marks?: Marks | undefined
}

/**
 * The payload of a frame since version 2 of the format. Sending a block is copying it.
 *
 *     u8 2 | three times zero | u32 bytes of the marks | u32 bytes of the shapes | u32 zero | marks | shapes | zeros, to a multiple of eight | blocks
 *
 * Marks and shapes are JSON in UTF-8; marks have no bytes when there are none. The blocks are described in `stream/block.ts` of the contract. A block has the places of its shapes in
 * the list of shapes.
 */
const version = 2
const headBytes = 16
const noMarks = Buffer.alloc(0)
const shapeLists = createShapeLists()

/** Encode the frame of one append. */
export function encodeGroup(
  firstSeq: number,
  { samples, marks = {} }: Group,
  key: FrameKey,
): Buffer {
  const { shapes, blocks } = writeBlocks(samples)
  const marksText = hasAny(marks) ? Buffer.from(JSON.stringify(marks)) : noMarks
  const shapesText = Buffer.from(JSON.stringify(shapes))
  const blocksAt = padded(headBytes + marksText.length + shapesText.length)
  const payload = Buffer.alloc(blocks.reduce((sum, { length }) => sum + length, blocksAt))
  payload[0] = version
  payload.writeUInt32LE(marksText.length, 4)
  payload.writeUInt32LE(shapesText.length, 8)
  payload.set(marksText, headBytes)
  payload.set(shapesText, headBytes + marksText.length)
  let at = blocksAt
  for (const block of blocks) {
    payload.set(block, at)
    at += block.length
  }
  return encodePayload(firstSeq, samples.length, { payload, key })
}

function hasAny(marks: Marks): boolean {
  for (const _ in marks) return true
  return false
}

/** Tell whether the payload of a frame has blocks. Otherwise it is JSON. */
export function hasBlocks(payload: Buffer): boolean {
  return payload[0] === version
}

/** Read a group with all of its samples; null when it is not one. */
export function readBlockGroup(payload: Buffer): Group | null {
  const parts = divide(payload)
  if (parts === null) return null
  const shapes = shapeLists.read(parts.shapes.toString())
  const marks = parts.marks.length === 0 ? {} : parseJson(parts.marks.toString())
  if (shapes === null || typeof marks !== 'object' || marks === null) return null
  const samples: Sample[] = []
  for (const bytes of parts.blocks) {
    const memory = new BlockMemory(new ArrayBuffer(padded(bytes.length)))
    memory.bytes.set(bytes)
    const place = { at: 0, bytes: bytes.length, shapes: { get: (at: number) => shapes[at] } }
    const reading = readBlock(memory, place)
    if (reading.fault !== undefined) return null
    for (const sample of samplesIn(memory, reading.sections))
      samples.push({ ...sample, fields: { ...sample.fields } })
  }
  return { samples, marks: { ...marks } }
}

/** Read the blocks of a group without their samples; null when it is not one. */
export function readStoredBlocks(firstSeq: number, payload: Buffer): StoredBlock[] | null {
  const parts = divide(payload)
  const shapes = parts === null ? null : shapeLists.read(parts.shapes.toString())
  if (parts === null || shapes === null) return null
  let seq = firstSeq
  return parts.blocks.map((bytes) => {
    const rows = bytes.readUInt16LE(0)
    seq += rows
    return { firstSeq: seq - rows, rows, shapes, bytes }
  })
}

/** Make blocks of samples that are not stored as such. */
export function toStoredBlocks(firstSeq: number, samples: readonly Sample[]): StoredBlock[] {
  const { shapes, blocks } = writeBlocks(samples)
  let seq = firstSeq
  return blocks.map((bytes) => {
    const { rows } = readBlockHead(bytes) ?? { rows: 0 }
    seq += rows
    return { firstSeq: seq - rows, rows, shapes, bytes }
  })
}

function divide(
  payload: Buffer,
): { readonly marks: Buffer; readonly shapes: Buffer; readonly blocks: Buffer[] } | null {
  if (payload.length < headBytes) return null
  const shapesAt = headBytes + payload.readUInt32LE(4)
  const shapesEnd = shapesAt + payload.readUInt32LE(8)
  const blocks: Buffer[] = []
  let at = padded(shapesEnd)
  for (; at + 2 * headBytes <= payload.length;) {
    const bytes = payload.subarray(at, at + payload.readUInt32LE(at + 4))
    if (readBlockHead(bytes) === null) return null
    blocks.push(bytes)
    at += bytes.length
  }
  if (at !== payload.length) return null
  const marks = payload.subarray(headBytes, shapesAt)
  return { marks, shapes: payload.subarray(shapesAt, shapesEnd), blocks }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller treats it as damaged.
    return null
  }
}
