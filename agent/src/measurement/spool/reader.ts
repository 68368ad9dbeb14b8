import { closeSync, openSync } from 'node:fs'
import { droppedMeasurement, type SampleRecord } from '@community-lab/contract'
import { nodeSource, nowUs } from '../sample.ts'
import type { Sample } from '../sample.ts'
import { hasBlocks, readStoredBlocks, toStoredBlocks } from './block-group.ts'
import { findFrame, readFrame, type Frame, type FrameKey } from './frame.ts'
import { keyOf, readGroup, readHead, type Segment } from './segment.ts'
import type { StoredBlock } from './spool.ts'

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
  readonly #spoolKey: FrameKey
  #file: number | null = null
  /** The key of the file's frames. */
  #key: FrameKey = null
  #path = ''
  /** The position of the frame whose first seq is `#frameSeq`, or the beginning of the segment. */
  #position = 0
  #frameSeq = 0
  /** The frame that was decoded last, because a frame of many samples is read in several parts. */
  #decoded: {
    readonly at: number
    readonly frame: Frame
    /** Null when only its blocks were read. */
    readonly samples: readonly Sample[] | null
  } | null = null
  #blocks: { readonly frame: Frame; readonly blocks: readonly StoredBlock[] } | null = null

  /** @param spoolKey - The key of the spool, for segments with a damaged head. */
  constructor(spoolKey: FrameKey, decode: FrameDecoder = decodeFrame) {
    this.#spoolKey = spoolKey
    this.#decode = decode
  }

  /** Read records in the order of seqs. Seqs have no gaps, so each record that is damaged on disk is replaced by a `dropped` record. */
  read(options: ReadOptions): SampleRecord[] {
    const { fromSeq, untilSeq, maxRecords, maxBytes } = options
    const records: SampleRecord[] = []
    let bytes = 0
    for (;;) {
      const seq = fromSeq + records.length
      if (seq > untilSeq || records.length >= maxRecords || bytes >= maxBytes) return records
      const found = this.#find(options.segments, seq)
      if (found === null) return records
      const until = Math.min(untilSeq, fromSeq + maxRecords - 1, found.lastSeq)
      if (found.frame === null)
        for (let lost = seq; lost <= until; lost++) records.push(lostRecord(lost))
      else {
        const { frame } = found
        const samples = this.#samplesOf(frame)
        for (let next = seq; next <= until; next++) {
          const sample = samples[next - frame.firstSeq]
          records.push(sample === undefined ? lostRecord(next) : { seq: next, ...sample })
        }
        bytes += frame.bytes
      }
    }
  }

  /** Read blocks in the order of seqs. The first may begin before `fromSeq`; none is divided. Damaged records are replaced as in {@link read}. */
  readBlocks(options: ReadOptions): StoredBlock[] {
    const { fromSeq, untilSeq, maxRecords, maxBytes } = options
    const blocks: StoredBlock[] = []
    let bytes = 0
    for (let seq = fromSeq; seq <= untilSeq && bytes < maxBytes;) {
      const found = this.#find(options.segments, seq)
      if (found === null) return blocks
      const before = seq
      for (const block of this.#blocksOf(found, { seq, untilSeq })) {
        const lastSeq = block.firstSeq + block.rows - 1
        if (lastSeq < seq) continue
        if (lastSeq > untilSeq || lastSeq - fromSeq >= maxRecords || bytes >= maxBytes)
          return blocks
        blocks.push(block)
        bytes += block.bytes.length
        seq = lastSeq + 1
      }
      if (seq === before) return blocks
    }
    return blocks
  }

  #blocksOf(
    { frame, lastSeq }: Found,
    { seq, untilSeq }: { readonly seq: number; readonly untilSeq: number },
  ): readonly StoredBlock[] {
    if (frame === null) {
      const count = Math.min(Math.min(lastSeq, untilSeq) - seq + 1, maxLostBlock)
      return toStoredBlocks(
        seq,
        Array.from({ length: count }, () => lostSample()),
      )
    }
    if (this.#blocks?.frame === frame) return this.#blocks.blocks
    const own = hasBlocks(frame.payload) ? readStoredBlocks(frame.firstSeq, frame.payload) : null
    const blocks = own ?? toStoredBlocks(frame.firstSeq, wholeOf(frame, this.#samplesOf(frame)))
    // A frame of several blocks is read in several parts.
    this.#blocks = { frame, blocks }
    this.#decoded ??= { at: this.#position, frame, samples: null }
    return blocks
  }

  /** Find the frame that has a seq; or, without a frame, up to which seq records are damaged. Null when there is no segment. */
  #find(segments: readonly Segment[], seq: number): Found | null {
    for (;;) {
      const at = segments.findLastIndex((segment) => segment.firstSeq <= seq)
      const segment = segments[at]
      if (segment === undefined) return null
      const file = this.#open(segment, seq)
      const frame = this.#decodedHere() ?? this.#readFrame(file)
      if (frame === null) {
        const nextSeq = this.#skipDamage(file, seq) ?? segments[at + 1]?.firstSeq ?? Infinity
        if (nextSeq > seq) return { frame: null, lastSeq: nextSeq - 1 }
      } else if (frame.count === 0 || frame.firstSeq + frame.count <= seq)
        this.#position += frame.bytes
      else {
        this.#frameSeq = frame.firstSeq
        return { frame, lastSeq: frame.firstSeq + frame.count - 1 }
      }
    }
  }

  /** Close the file that was read last. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
    this.#path = ''
    this.#decoded = this.#blocks = null
  }

  /** Read the frame at the current position. The head of a segment has no key. */
  #readFrame(file: number): Frame | null {
    return readFrame(file, this.#position, this.#position === 0 ? null : this.#key)
  }

  /** Return the frame at the current position if it is the one that was decoded last. */
  #decodedHere(): Frame | null {
    return this.#decoded?.at === this.#position ? this.#decoded.frame : null
  }

  #samplesOf(frame: Frame): readonly Sample[] {
    if (this.#decoded?.frame === frame && this.#decoded.samples !== null)
      return this.#decoded.samples
    const samples = this.#decode(frame)
    this.#decoded = { at: this.#position, frame, samples }
    return samples
  }

  /** Go to the next complete frame in this file. Returns its first seq; null when there is none. */
  #skipDamage(file: number, seq: number): number | null {
    const position = findFrame(file, this.#position, { fromSeq: seq, key: this.#key })
    const frame = position === null ? null : readFrame(file, position, this.#key)
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
    this.#key = keyOf(readHead(segment.path), this.#spoolKey)
    this.#position = this.#frameSeq = 0
    return this.#file
  }
}

interface Found {
  readonly frame: Frame | null
  /** The last seq of the frame, or of the records that are damaged. */
  readonly lastSeq: number
}

/** The most damaged records that are told of at once. */
const maxLostBlock = 1_000

/** Return as many samples as the frame says that it has. */
function wholeOf({ count }: Frame, samples: readonly Sample[]): readonly Sample[] {
  return Array.from({ length: count }, (_, at) => samples[at] ?? lostSample())
}

function lostRecord(seq: number): SampleRecord {
  return { seq, ...lostSample() }
}

function lostSample(): Sample {
  return {
    time_us: nowUs(),
    source: nodeSource,
    name: droppedMeasurement,
    fields: { lines: 1, reason: "damaged on the node's disk" },
  }
}

function decodeFrame({ payload }: Frame): readonly Sample[] {
  return readGroup(payload)?.samples ?? []
}
