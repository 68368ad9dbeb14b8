import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import { SampleShape } from '../sample.ts'
import { encodeFrame, readFrame } from './frame.ts'

/** One file of the spool. Its name holds the spool's generation and the seq its samples begin with. */
export interface Segment {
  readonly path: string
  readonly firstSeq: number
  bytes: number
}

const Marks = Type.Record(Type.String(), Type.Unknown())
/** What the source of samples remembers together with them, by key, such as its position in a file. */
export type Marks = Static<typeof Marks>

/**
 * The version of the form of segments; each segment's head names it. A change raises it only when older agents would misread the new segments. A new member
 * that older agents may ignore does not raise it. A head without a version has version 0, which this agent reads like version 1.
 */
export const segmentVersion = 1

/** The first frame of a segment. */
const Head = Type.Object({
  version: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Whose segment it is: a UUID. */
  spool: Type.String(),
  /** All marks as they were when it began. */
  marks: Marks,
  /** How many bytes of the previous segment each source has. */
  before: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 }))),
})
export type Head = Static<typeof Head>

/** The members of a head of any version. */
const Newer = Type.Object({ version: Type.Integer({ minimum: segmentVersion + 1 }) })

/** Every other frame. A mark of null is forgotten. */
const Group = Type.Object({ samples: Type.Array(SampleShape), marks: Type.Optional(Marks) })
/** The content of one append. */
export type Group = Static<typeof Group>

// Compiled: every sample is read through it.
const group = Compile(Group)

const nameRegExp = /^(\d{8})-(\d{16})\.spool$/u

/** List the segments of the newest generation, in order. What older generations and unfinished beginnings have left is removed. */
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

/** What a segment begins with. */
export interface SegmentStart {
  readonly generation: number
  readonly firstSeq: number
  /** Its version is this agent's. */
  readonly head: Omit<Head, 'version'>
  /** Frames that are in it from the beginning, in order. */
  readonly frames?: Iterable<Buffer>
}

/**
 * Begin a segment, in the place of one of the same name if there is one. It is there whole or not at all, also after a power cut and when the disk is full,
 * which is thrown. Returns it open for appending.
 */
export function beginSegment(dir: string, start: SegmentStart): { segment: Segment; file: number } {
  const { generation, firstSeq, head, frames = [] } = start
  const name = `${String(generation).padStart(8, '0')}-${String(firstSeq).padStart(16, '0')}.spool`
  const path = join(dir, name)
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    const document = { version: segmentVersion, ...head }
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

/** Write all bytes at a place; a disk that is nearly full takes a part first. Returns how many there are. */
export function writeWhole(file: number, bytes: Buffer, position: number): number {
  for (let written = 0; written < bytes.length;)
    written += writeSync(file, bytes, written, bytes.length - written, position + written)
  return bytes.length
}

/** Read a segment's head; null when it is damaged, `newer` when only a newer agent can read it. */
export function readHead(path: string): Head | 'newer' | null {
  const file = openSync(path, 'r')
  try {
    const frame = readFrame(file, 0)
    const document = frame === null ? null : parseJson(frame.payload)
    if (Value.Check(Newer, document)) return 'newer'
    return Value.Check(Head, document) ? document : null
  } finally {
    closeSync(file)
  }
}

/** Read a group from its frame's payload; null when it is none. */
export function readGroup(payload: Buffer): Group | null {
  const document = parseJson(payload)
  return group.Check(document) ? document : null
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    // Its CRC was right, so it was not written by this version: the same as damage.
    return null
  }
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
