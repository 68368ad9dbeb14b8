import { closeSync, openSync } from 'node:fs'
import { droppedMeasurement, type SampleRecord } from '@community-lab/contract'
import { nodeSource, nowUs } from '../sample.ts'
import type { Sample } from '../sample.ts'
import { findFrame, readFrame, type Frame } from './frame.ts'
import { readGroup, type Segment } from './segment.ts'

/** The range to read, and the limits. */
export interface ReadOptions {
  readonly segments: readonly Segment[]
  readonly fromSeq: number
  /** The last seq that may be read. */
  readonly untilSeq: number
  readonly maxRecords: number
  /** Reading stops after the frame that reaches this many bytes. */
  readonly maxBytes: number
}

/** Reads and decodes a frame. A test can replace it, to count the calls. */
export type FrameDecoder = (frame: Frame) => readonly Sample[]

/** Reads a spool's segments, mostly in order: it remembers its position, and the samples of the last frame. */
export class SegmentReader {
  readonly #decode: FrameDecoder
  #file: number | null = null
  #path = ''
  /** The position of the frame whose first seq is `#frameSeq`, or the beginning of the segment. */
  #position = 0
  #frameSeq = 0
  /** The frame that was decoded last, because a frame of many samples is read in several parts. */
  #decoded: {
    readonly at: number
    readonly frame: Frame
    readonly samples: readonly Sample[]
  } | null = null

  constructor(decode: FrameDecoder = decodeFrame) {
    this.#decode = decode
  }

  /** Read records in the order of seqs. Seqs have no gaps, so each record that is damaged on disk is replaced by a `dropped` record. */
  read(options: ReadOptions): SampleRecord[] {
    const { segments, fromSeq, untilSeq, maxRecords, maxBytes } = options
    const records: SampleRecord[] = []
    let bytes = 0
    for (;;) {
      const seq = fromSeq + records.length
      if (seq > untilSeq || records.length >= maxRecords || bytes >= maxBytes) return records
      const at = segments.findLastIndex((segment) => segment.firstSeq <= seq)
      const segment = segments[at]
      if (segment === undefined) return records
      const file = this.#open(segment, seq)
      const frame = this.#decodedHere() ?? readFrame(file, this.#position)
      if (frame === null) {
        const nextSeq = this.#skipDamage(file, seq) ?? segments[at + 1]?.firstSeq ?? Infinity
        const count = Math.min(Math.min(nextSeq, untilSeq + 1) - seq, maxRecords - records.length)
        for (let lost = 0; lost < count; lost++) records.push(lostRecord(seq + lost))
        continue
      }
      if (frame.count === 0 || frame.firstSeq + frame.count <= seq) {
        this.#position += frame.bytes
        continue
      }
      this.#frameSeq = frame.firstSeq
      const until = Math.min(untilSeq, frame.firstSeq + frame.count - 1, fromSeq + maxRecords - 1)
      const samples = this.#samplesOf(frame)
      for (let next = seq; next <= until; next++) {
        const sample = samples[next - frame.firstSeq]
        records.push(sample === undefined ? lostRecord(next) : { seq: next, ...sample })
      }
      bytes += frame.bytes
    }
  }

  /** Close the file that was read last. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
    this.#path = ''
    this.#decoded = null
  }

  /** Return the frame at the current position if it is the one that was decoded last. */
  #decodedHere(): Frame | null {
    return this.#decoded?.at === this.#position ? this.#decoded.frame : null
  }

  #samplesOf(frame: Frame): readonly Sample[] {
    if (this.#decoded?.frame === frame) return this.#decoded.samples
    const samples = this.#decode(frame)
    this.#decoded = { at: this.#position, frame, samples }
    return samples
  }

  /** Go to the next complete frame in this file. Returns its first seq; null when there is none. */
  #skipDamage(file: number, seq: number): number | null {
    const position = findFrame(file, this.#position, seq)
    const frame = position === null ? null : readFrame(file, position)
    if (position === null || frame === null) return null
    this.#position = position
    return frame.firstSeq
  }

  #open(segment: Segment, seq: number): number {
    if (this.#file !== null && this.#path === segment.path) {
      if (seq < this.#frameSeq) this.#position = this.#frameSeq = 0
      return this.#file
    }
    this.close()
    this.#file = openSync(segment.path, 'r')
    this.#path = segment.path
    this.#position = this.#frameSeq = 0
    return this.#file
  }
}

function lostRecord(seq: number): SampleRecord {
  return {
    seq,
    time_us: nowUs(),
    source: nodeSource,
    name: droppedMeasurement,
    fields: { lines: 1, reason: "damaged on the node's disk" },
  }
}

function decodeFrame({ payload }: Frame): readonly Sample[] {
  return readGroup(payload)?.samples ?? []
}
