import { closeSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { findFrame, readFrame } from './frame.ts'
import { readGroup, type Marks, type Segment } from './segment.ts'

/** What the newest segment held when it was opened. */
export interface Recovered {
  /** The last seq in it; one less than its first when it has none. */
  readonly lastSeq: number
  readonly marks: Marks
}

/**
 * Read the newest segment to its end, cut a torn tail off, and make the rest durable: a killed writer had perhaps not. What is damaged with whole frames
 * behind it is no tail: it stays, for its seqs are used up and what follows can be read.
 */
export function recoverSegment(segment: Segment, marks: Marks): Recovered {
  const file = openSync(segment.path, 'r+')
  try {
    const found = { ...marks }
    let lastSeq = segment.firstSeq - 1
    let end = readFrame(file, 0)?.bytes ?? 0
    for (let at: number | null = end; at !== null;) {
      const frame = readFrame(file, at)
      const group = frame === null ? null : readGroup(frame.payload)
      if (frame === null || group === null || frame.firstSeq <= lastSeq) {
        at = findFrame(file, at, lastSeq + 1)
        continue
      }
      setMarks(found, group.marks ?? {})
      lastSeq = frame.firstSeq + frame.count - 1
      at += frame.bytes
      end = at
    }
    ftruncateSync(file, end)
    fsyncSync(file)
    segment.bytes = end
    return { lastSeq, marks: found }
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
