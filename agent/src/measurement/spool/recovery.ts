import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, linkSync, openSync, rmSync } from 'node:fs'
import { LabError } from '@community-lab/contract'
import { isFull } from '../../errno.ts'
import { SegmentFiles } from './files.ts'
import { encodeGroup, type Group } from './block-group.ts'
import { findFrame, frameKeyBytes, readFrame, type Frame, type FrameKey } from './frame.ts'
import {
  keyOf,
  listSegments,
  readGroup,
  readHead,
  readKey,
  segmentVersion,
  type Marks,
  type Segment,
  writeKey,
} from './segment.ts'
import { Tally } from './tally.ts'

/** A spool that was found on the disk, or created. */
export interface Recovered {
  readonly files: SegmentFiles
  readonly generation: number
  /** The UUID of the spool. */
  readonly id: string
  readonly lastSeq: number
  readonly marks: Marks
  /** The key of the frames that are written from now on. */
  readonly key: Buffer
  /** Whether the newest segment is of an older version, so that nothing may be appended to it. */
  readonly isOld: boolean
}

/**
 * Open the segments in a folder, or create one. A torn tail is cut off. When the head of the newest segment cannot be read, the segment is set aside under
 * another name, and its readable frames are taken over; `onProblem` is called. Nothing unreadable is deleted.
 */
export function recoverSpool(dir: string, onProblem: (error: LabError) => void): Recovered {
  const { generation, segments } = listSegments(dir)
  const found = segments.map(({ path }) => readHead(path))
  const newest = segments.at(-1)
  const heads = found.map((head) => (head === 'newer' ? null : head))
  const known = keyOf(heads.findLast((head) => head?.key !== undefined) ?? null, readKey(dir))
  const key = known ?? randomBytes(frameKeyBytes)
  if (readKey(dir)?.equals(key) !== true) keepKey(dir, key)
  if (newest === undefined) return beginSpool(dir, generation, key)
  if (found.includes('newer')) {
    const reason = `is of a newer version than this agent's, which is ${segmentVersion}`
    for (const segment of segments) onProblem(setAside(segment, reason))
    const begun = beginSpool(dir, generation + 1, key)
    for (const { path } of segments) rmSync(path)
    return begun
  }
  const id = heads.findLast((head) => head !== null)?.spool ?? null
  const head = heads.at(-1)
  const tally = new Tally()
  for (const [at, { path }] of segments.entries())
    for (const [source, bytes] of Object.entries(heads[at + 1]?.before ?? {}))
      tally.add(path, source, bytes)
  const older = segments.slice(0, -1)
  if (head !== null && head !== undefined) {
    const from = { marks: head.marks, key: keyOf(head, key) }
    const content = readSegment(newest, from, (frame, group) => {
      const source = group.samples.at(-1)?.source
      if (source !== undefined) tally.add(newest.path, source, frame.bytes)
    })
    cut(newest, content.end)
    const files = SegmentFiles.open(dir, [...older, newest], tally)
    const { lastSeq, marks } = content
    const isOld = (head.version ?? 0) < segmentVersion
    return { files, generation, id: head.spool, lastSeq, marks, key, isOld }
  }
  const marks = heads.at(-2)?.marks ?? {}
  return salvage(dir, { generation, older, newest, id, marks, key, tally, onProblem })
}

/** Write the key into its file. On a full disk it is in the heads of segments alone, until the spool is opened again. */
function keepKey(dir: string, key: Buffer): void {
  try {
    writeKey(dir, key)
  } catch (error) {
    if (!isFull(error)) throw error
  }
}

function beginSpool(dir: string, generation: number, key: Buffer): Recovered {
  const id = randomUUID()
  const head = { spool: id, marks: {} }
  const files = SegmentFiles.begin(dir, { generation, firstSeq: 1, head, key })
  return { files, generation, id, lastSeq: 0, marks: {}, key, isOld: false }
}

interface Damaged {
  readonly generation: number
  readonly older: readonly Segment[]
  readonly newest: Segment
  /** The id of the spool from an older segment; null: not known. */
  readonly id: string | null
  /** The marks at the beginning of the segment before the newest. */
  readonly marks: Marks
  readonly key: Buffer
  readonly tally: Tally
  readonly onProblem: (error: LabError) => void
}

/**
 * Take over the readable frames of a segment without a head. When no other segment has the id of the spool, the seqs have no meaning any more. Then the samples
 * are numbered from 1 in a new spool.
 */
function salvage(dir: string, damaged: Damaged): Recovered {
  const { generation, older, newest, key, tally, onProblem } = damaged
  const before = older.at(-1)
  const marks = before === undefined ? {} : readOlder(before, damaged)
  const frames: { readonly firstSeq: number; readonly group: Group }[] = []
  const found = readSegment(newest, { marks, key }, ({ firstSeq }, group) =>
    frames.push({ firstSeq, group }),
  )
  onProblem(
    setAside(newest, `is damaged; ${frames.length} groups of samples behind it were taken over`),
  )
  const id = damaged.id ?? randomUUID()
  const isNew = damaged.id === null
  let nextSeq = 1
  const rewritten = frames.map(({ firstSeq, group }) => {
    const seq = isNew ? nextSeq : firstSeq
    nextSeq += group.samples.length
    return encodeGroup(seq, group, key)
  })
  const start = {
    firstSeq: isNew ? 1 : newest.firstSeq,
    head: { spool: id, marks },
    key,
    frames: rewritten,
  }
  if (isNew) {
    for (const segment of older) onProblem(setAside(segment, 'is damaged'))
    const files = SegmentFiles.begin(dir, { ...start, generation: generation + 1 })
    for (const { path } of [...older, newest]) rmSync(path)
    const { marks: last } = found
    return {
      files,
      generation: generation + 1,
      id,
      lastSeq: nextSeq - 1,
      marks: last,
      key,
      isOld: false,
    }
  }
  // The new file has the name of the damaged segment, and so replaces it.
  const begun = SegmentFiles.begin(dir, { ...start, generation })
  begun.close()
  const files = SegmentFiles.open(dir, [...older, begun.active], tally)
  return { files, generation, id, lastSeq: found.lastSeq, marks: found.marks, key, isOld: false }
}

/** Return the marks at the end of a segment. */
function readOlder(segment: Segment, { marks, key }: Damaged): Marks {
  return readSegment(segment, { marks, key: keyOf(readHead(segment.path), key) }).marks
}

/** Give a segment a second name, which stays when another file replaces the segment. Returns the error that reports it. */
function setAside({ path }: Segment, found: string): LabError {
  const keptAt = `${path}.unreadable-${new Date().toISOString().replaceAll(':', '')}`
  linkSync(path, keptAt)
  return new LabError('LAB_AGENT_SPOOL_DAMAGED', { path, found, keptAt })
}

/** The contents of a segment. */
interface SegmentContent {
  /** The seq of the last sample; one less than the first seq of the segment when it has no sample. */
  readonly lastSeq: number
  readonly marks: Marks
  /** The offset of the end of the last complete frame. */
  readonly end: number
}

/**
 * Read the frames of a segment to its end. A damaged frame before complete frames is not a torn tail. It stays, because its seqs are used and the later frames
 * can be read.
 */
function readSegment(
  segment: Segment,
  { marks, key }: { readonly marks: Marks; readonly key: FrameKey },
  onGroup: (frame: Frame, group: Group) => void = () => undefined,
): SegmentContent {
  const file = openSync(segment.path, 'r')
  try {
    const found = { ...marks }
    let lastSeq = segment.firstSeq - 1
    const head = readFrame(file, 0, null)
    let end = head?.bytes ?? 0
    // Without a head, search for the first frame.
    for (
      let at: number | null =
        head === null ? findFrame(file, -1, { fromSeq: segment.firstSeq, key }) : end;
      at !== null;
    ) {
      const frame = readFrame(file, at, key)
      const group = frame === null ? null : readGroup(frame.payload)
      if (frame === null || group === null || frame.firstSeq <= lastSeq) {
        at = findFrame(file, at, { fromSeq: lastSeq + 1, key })
        continue
      }
      setMarks(found, group.marks ?? {})
      onGroup(frame, group)
      lastSeq = frame.firstSeq + frame.count - 1
      at += frame.bytes
      end = at
    }
    return { lastSeq, marks: found, end }
  } finally {
    closeSync(file)
  }
}

/** Cut off a segment's torn tail. Sync the rest, because a killed writer may not have done so. */
function cut(segment: Segment, end: number): void {
  const file = openSync(segment.path, 'r+')
  try {
    ftruncateSync(file, end)
    fsyncSync(file)
    segment.bytes = end
  } finally {
    closeSync(file)
  }
}

/** Set marks. A mark whose new value is null is deleted. */
export function setMarks(marks: Marks, changes: Marks): void {
  for (const [key, value] of Object.entries(changes))
    if (value === null) Reflect.deleteProperty(marks, key)
    else marks[key] = value
}
