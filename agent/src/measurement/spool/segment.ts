import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { isAbsent } from '../../errno.ts'
import { SampleShape } from '../sample.ts'
import { hasBlocks, readBlockGroup, type Group } from './block-group.ts'
import { encodeFrame, frameKeyBytes, readFrame, type FrameKey } from './frame.ts'

/** One file of the spool. Its name contains the spool's generation and the seq of its first sample. */
export interface Segment {
  readonly path: string
  readonly firstSeq: number
  bytes: number
}

const Marks = Type.Record(Type.String(), Type.Unknown())
/** What the source of samples remembers together with them, by key, such as its position in a file. */
export type Marks = Static<typeof Marks>

/**
 * The version of the format of segments, which each segment's head contains. A change raises it only when older agents would misread the new segments. A new
 * member that older agents may ignore does not raise it. A head without a version has version 0, which this agent reads like version 1.
 * Until version 1, the samples of a frame were JSON; since version 2 they are blocks of columns, since version 3 frames have the key of the spool.
 */
export const segmentVersion = 3

/** The first frame of a segment. */
const Head = Type.Object({
  version: Type.Optional(Type.Integer({ minimum: 0 })),
  /** The id of the spool: a UUID. */
  spool: Type.String(),
  /** The key of the other frames, in hexadecimal; without one they have none. */
  key: Type.Optional(Type.String({ pattern: `^[0-9a-f]{${2 * frameKeyBytes}}$` })),
  /** All marks at the beginning of the segment. */
  marks: Marks,
  /** The bytes of each source in the previous segment. */
  before: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 }))),
})
export type Head = Static<typeof Head>

/** The members of a head of any version. */
const Newer = Type.Object({ version: Type.Integer({ minimum: segmentVersion + 1 }) })

/** Every other frame until version 1. */
const JsonGroup = Type.Object({ samples: Type.Array(SampleShape), marks: Type.Optional(Marks) })

// It is compiled because every sample is read with it.
const group = Compile(JsonGroup)

const nameRegExp = /^(\d{8})-(\d{16})\.spool$/u

/** List the segments of the newest generation, in order. Removes those of older generations, and incomplete files. */
export function listSegments(dir: string): { generation: number; segments: Segment[] } {
  const names = readdirSync(dir).sort()
  const found = names.flatMap((name) => {
    const match = nameRegExp.exec(name)
    const path = join(dir, name)
    if (match === null) return []
    const bytes = statSync(path).size
    return [{ generation: Number(match[1]), segment: { path, firstSeq: Number(match[2]), bytes } }]
  })
  const generation = found.at(-1)?.generation ?? 0
  for (const old of found) if (old.generation !== generation) rmSync(old.segment.path)
  for (const name of names) if (name.endsWith('.new')) rmSync(join(dir, name))
  const segments = found.filter((one) => one.generation === generation).map((one) => one.segment)
  return { generation, segments }
}

/** The beginning of a segment. */
export interface SegmentStart {
  readonly generation: number
  readonly firstSeq: number
  /** The head. Its version is this agent's. */
  readonly head: Omit<Head, 'version' | 'key'>
  /** The key of the frames. */
  readonly key: Buffer
  /** The frames that the new segment contains, in order. */
  readonly frames?: Iterable<Buffer>
}

/**
 * Create a segment, and replace one of the same name. The file is complete or absent, even after a power cut. A full disk is an error, which is thrown. Returns
 * the segment open for appending.
 */
export function beginSegment(dir: string, start: SegmentStart): { segment: Segment; file: number } {
  const { generation, firstSeq, head, key, frames = [] } = start
  const name = `${String(generation).padStart(8, '0')}-${String(firstSeq).padStart(16, '0')}.spool`
  const path = join(dir, name)
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    const document = { version: segmentVersion, key: key.toString('hex'), ...head }
    let bytes = writeWhole(file, encodeFrame(firstSeq, 0, document), 0)
    for (const frame of frames) bytes += writeWhole(file, frame, bytes)
    fsyncSync(file)
    renameSync(`${path}.new`, path)
    syncFolder(dir)
    return { segment: { path, firstSeq, bytes }, file }
  } catch (error) {
    closeSync(file)
    rmSync(`${path}.new`, { force: true })
    throw error
  }
}

/** Write all bytes at a position. A nearly full disk takes only a part at first. Returns the number of bytes. */
export function writeWhole(file: number, bytes: Buffer, position: number): number {
  for (let written = 0; written < bytes.length;)
    written += writeSync(file, bytes, written, bytes.length - written, position + written)
  return bytes.length
}

/** Read a segment's head; null when it is damaged, `newer` when only newer agents can read it. */
export function readHead(path: string): Head | 'newer' | null {
  const file = openSync(path, 'r')
  try {
    const frame = readFrame(file, 0, null)
    const document = frame === null ? null : parseJson(frame.payload)
    if (Value.Check(Newer, document)) return 'newer'
    return Value.Check(Head, document) ? document : null
  } finally {
    closeSync(file)
  }
}

/** Return the key of the frames behind a head. `spoolKey`: that of the spool, for a segment whose head is damaged. */
export function keyOf(head: Head | 'newer' | null, spoolKey: FrameKey): FrameKey {
  if (head === null || head === 'newer') return spoolKey
  return head.key === undefined ? null : Buffer.from(head.key, 'hex')
}

/** Read a group from its frame's payload; null when it is not a group. */
export function readGroup(payload: Buffer): Group | null {
  if (hasBlocks(payload)) return readBlockGroup(payload)
  const document = parseJson(payload)
  return group.Check(document) ? document : null
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    // The CRC was right, so another version has written it. It is treated as damaged.
    return null
  }
}

const keyPath = (dir: string): string => join(dir, 'key')

/** Read the key of a spool from its file, which is there for segments with a damaged head; null when there is none. */
export function readKey(dir: string): FrameKey {
  let text: string
  try {
    text = readFileSync(keyPath(dir), 'latin1')
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
  // The number is the version of this file.
  const found = /^1 ([0-9a-f]{16})\n$/u.exec(text)?.[1]
  return found === undefined ? null : Buffer.from(found, 'hex')
}

/** Write the key of a spool into its file. */
export function writeKey(dir: string, key: Buffer): void {
  const file = openSync(`${keyPath(dir)}.new`, 'w', 0o600)
  try {
    writeWhole(file, Buffer.from(`1 ${key.toString('hex')}\n`), 0)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${keyPath(dir)}.new`, keyPath(dir))
  syncFolder(dir)
}

/** Make sure that the names in a folder survive a power cut. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
