import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, linkSync, openSync, rmSync } from 'node:fs'
import { LabError } from '@community-lab/contract'
import { SegmentFiles } from './files.ts'
import { encodeFrame, findFrame, readFrame, type Frame } from './frame.ts'
import {
  listSegments,
  readGroup,
  readHead,
  segmentVersion,
  type Group,
  type Marks,
  type Segment,
} from './segment.ts'
import { Tally } from './tally.ts'

/** A spool as it was found on disk, or begun. */
export interface Recovered {
  readonly files: SegmentFiles
  readonly generation: number
  /** Its UUID. */
  readonly id: string
  readonly lastSeq: number
  readonly marks: Marks
}

/**
 * Open the segments in a folder, or begin one. A torn tail is cut off. A newest segment whose head cannot be read is set aside under another name, and what
 * can be read of its frames is taken over; then `onProblem` is told. Nothing that cannot be read is deleted.
 */
export function recoverSpool(dir: string, onProblem: (error: LabError) => void): Recovered {
  const { generation, segments } = listSegments(dir)
  const found = segments.map(({ path }) => readHead(path))
  const newest = segments.at(-1)
  if (newest === undefined) return beginSpool(dir, generation)
  const heads = found.map((head) => (head === 'newer' ? null : head))
  if (found.includes('newer')) {
    const reason = `is of a newer version than this agent's, which is ${segmentVersion}`
    for (const segment of segments) onProblem(setAside(segment, reason))
    const begun = beginSpool(dir, generation + 1)
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
    const content = readSegment(newest, head.marks, (frame, group) => {
      const source = group.samples.at(-1)?.source
      if (source !== undefined) tally.add(newest.path, source, frame.bytes)
    })
    cut(newest, content.end)
    const files = SegmentFiles.open(dir, [...older, newest], tally)
    const { lastSeq, marks } = content
    return { files, generation, id: head.spool, lastSeq, marks }
  }
  const marks = heads.at(-2)?.marks ?? {}
  return salvage(dir, { generation, older, newest, id, marks, tally, onProblem })
}

function beginSpool(dir: string, generation: number): Recovered {
  const id = randomUUID()
  const files = SegmentFiles.begin(dir, { generation, firstSeq: 1, head: { spool: id, marks: {} } })
  return { files, generation, id, lastSeq: 0, marks: {} }
}

interface Damaged {
  readonly generation: number
  readonly older: readonly Segment[]
  readonly newest: Segment
  /** Of the spool, when an older segment tells; null: not known. */
  readonly id: string | null
  /** As they were when the segment before it began. */
  readonly marks: Marks
  readonly tally: Tally
  readonly onProblem: (error: LabError) => void
}

/**
 * Take over what can be read of a segment without a head. When no other segment tells which spool it is of, its numbers mean nothing any more, and its
 * samples are numbered from 1 in a new spool.
 */
function salvage(dir: string, damaged: Damaged): Recovered {
  const { generation, older, newest, tally, onProblem } = damaged
  const before = older.at(-1)
  const marks = before === undefined ? {} : readSegment(before, damaged.marks).marks
  const frames: { readonly firstSeq: number; readonly group: Group }[] = []
  const found = readSegment(newest, marks, ({ firstSeq }, group) =>
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
    return encodeFrame(seq, group.samples.length, group)
  })
  const start = {
    firstSeq: isNew ? 1 : newest.firstSeq,
    head: { spool: id, marks },
    frames: rewritten,
  }
  if (isNew) {
    for (const segment of older) onProblem(setAside(segment, 'is damaged'))
    const files = SegmentFiles.begin(dir, { ...start, generation: generation + 1 })
    for (const { path } of [...older, newest]) rmSync(path)
    return { files, generation: generation + 1, id, lastSeq: nextSeq - 1, marks: found.marks }
  }
  // It takes the damaged one's name, and with that its place.
  const begun = SegmentFiles.begin(dir, { ...start, generation })
  begun.close()
  const files = SegmentFiles.open(dir, [...older, begun.active], tally)
  return { files, generation, id, lastSeq: found.lastSeq, marks: found.marks }
}

/** Give a segment a second name, under which it stays when another file takes its place. Returns the error that tells of it. */
function setAside({ path }: Segment, found: string): LabError {
  const keptAt = `${path}.unreadable-${new Date().toISOString().replaceAll(':', '')}`
  linkSync(path, keptAt)
  return new LabError('LAB_AGENT_SPOOL_DAMAGED', { path, found, keptAt })
}

/** What a segment held when it was read. */
interface SegmentContent {
  /** The last seq in it; one less than its first when it has none. */
  readonly lastSeq: number
  readonly marks: Marks
  /** Where its last whole frame ends. */
  readonly end: number
}

/**
 * Read the frames of a segment to its end. A damaged frame with whole frames behind it is not a torn tail. It stays, because its seqs are used up and the
 * frames behind it can be read.
 */
function readSegment(
  segment: Segment,
  marks: Marks,
  onGroup: (frame: Frame, group: Group) => void = () => undefined,
): SegmentContent {
  const file = openSync(segment.path, 'r')
  try {
    const found = { ...marks }
    let lastSeq = segment.firstSeq - 1
    const head = readFrame(file, 0)
    let end = head?.bytes ?? 0
    // Without a head the first frame is wherever one is found.
    for (
      let at: number | null = head === null ? findFrame(file, -1, segment.firstSeq) : end;
      at !== null;
    ) {
      const frame = readFrame(file, at)
      const group = frame === null ? null : readGroup(frame.payload)
      if (frame === null || group === null || frame.firstSeq <= lastSeq) {
        at = findFrame(file, at, lastSeq + 1)
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

/** Cut a segment's torn tail off. Make the rest durable, because a writer that was killed may not have synced it. */
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

/** Set marks; one of null is forgotten. */
export function setMarks(marks: Marks, changes: Marks): void {
  for (const [key, value] of Object.entries(changes))
    if (value === null) Reflect.deleteProperty(marks, key)
    else marks[key] = value
}
