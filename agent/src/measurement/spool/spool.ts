import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LabError, type SampleRecord } from '@community-lab/contract'
import type { Sample } from '../sample.ts'
import { createThrottle, type Throttle } from '../throttle.ts'
import { DropCount } from './drop-count.ts'
import { encodeFrame } from './frame.ts'
import { SegmentReader } from './reader.ts'
import { recoverSegment, setMarks } from './recovery.ts'
import {
  beginSegment,
  listSegments,
  readHead,
  writeWhole,
  type Marks,
  type Segment,
  type SegmentStart,
} from './segment.ts'

/** Options of {@link openSpool}. */
export interface SpoolOptions {
  /** The most that its segments may take on disk, in bytes; default 256 MiB. */
  readonly maxBytes?: number
  /** The least time between two beginnings of fdatasync, in milliseconds; default 50. */
  readonly syncGapMs?: number
}

/** Options of {@link Spool.append}. */
export interface AppendOptions {
  /** What to remember with the samples, by key, such as how far their source has been read; null forgets a key. */
  readonly marks?: Readonly<Record<string, unknown>>
  /** When the spool is full: `count` the samples as dropped (default), or `refuse` them, so that their source keeps them. */
  readonly whenFull?: 'count' | 'refuse'
}

/** The node's samples, on disk, until the server has them. See {@link openSpool}. */
export interface Spool {
  /** A UUID; together with `seq` it names a sample for good. */
  readonly id: string
  /** The first seq that is still here and not acknowledged; `lastSeq + 1` when there is none. */
  readonly firstSeq: number
  /** The last seq appended; 0 before the first. */
  readonly lastSeq: number
  /** The last seq that survives a power cut; only up to here is read. */
  readonly syncedSeq: number
  /** Append samples and marks, all or nothing. Survives the process at once, a power cut after the next sync. Returns false when it was full. */
  append(samples: readonly Sample[], options?: AppendOptions): boolean
  /** What was remembered under a key; undefined when nothing was. */
  mark(key: string): unknown
  /** Read synced records from a seq on, in order; at most `maxRecords`, and about `maxBytes` (default 512 KiB). Empty when there are none. */
  read(fromSeq: number, maxRecords: number, maxBytes?: number): SampleRecord[]
  /** All up to here has been committed by the server: remove it from disk, by whole segments. */
  trim(seq: number): void
  /** Tell whether the server has more of this spool than it can have from here: the spool was put back to an earlier state, or lost its end. */
  isOutrun(committedSeq: number): boolean
  /**
   * Go on as a new spool, with a new id and from seq 1, for the numbers of this one are used up: what was neither here when it was opened nor read since
   * goes along, all else the server has. Marks are kept.
   */
  renew(): void
  /** Wait until all that has been appended survives a power cut. */
  sync(): Promise<void>
  /** Call back when more can be read. Returns the unsubscriber. */
  onAppend(listener: () => void): () => void
  /** Call back when there may be room again. Returns the unsubscriber. */
  onTrim(listener: () => void): () => void
  /** Sync and let go of the files. */
  close(): Promise<void>
}

const defaultMaxBytes = 256 * 1024 * 1024
const largestSegmentBytes = 4 * 1024 * 1024
const defaultReadBytes = 512 * 1024
const defaultSyncGapMs = 50
/** How many records go into one frame when a spool is renewed. */
const renewRecords = 1_000

/**
 * Open the spool in a folder of its own, or begin one; only one process may have it open.
 *
 * Samples are written as frames with a CRC into segment files of up to 4 MiB. A write is in the kernel when `append` returns, so it survives a kill of
 * this process; fdatasync follows at once when it is the first for 50 ms, else grouped with all that comes within those 50 ms. Only what is
 * synced is read, and thus sent: a power cut can therefore never make the node use a seq again that the server knows already.
 * A torn tail is cut when it is opened. Samples are never overwritten: a full spool drops the new ones, and tells how many when there is room.
 *
 * @throws {@link LabError} LAB_AGENT_SPOOL_DAMAGED when the newest segment's head cannot be read. Errors of the disk are thrown as they are; a failed
 * fdatasync ends the process, for what is on disk is unknown then.
 */
export function openSpool(dir: string, options: SpoolOptions = {}): Promise<Spool> {
  return Promise.resolve().then(() => {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    return new FileSpool(dir, options)
  })
}

class FileSpool implements Spool {
  readonly #dir: string
  readonly #maxBytes: number
  readonly #segmentBytes: number
  readonly #drops: DropCount
  readonly #reader = new SegmentReader()
  readonly #sync: Throttle
  readonly #appendListeners = new Set<() => void>()
  readonly #trimListeners = new Set<() => void>()
  #syncWaiters: (() => void)[] = []
  #id: string
  #generation: number
  #segments: Segment[]
  #active: Segment
  #file: number
  #marks: Marks
  #lastSeq: number
  #syncedSeq: number
  #ackedSeq: number
  /** The last seq that the server can have: it was here when the spool was opened, or was read since. */
  #knownSeq: number

  constructor(dir: string, options: SpoolOptions) {
    this.#dir = dir
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes
    this.#segmentBytes = Math.min(largestSegmentBytes, Math.ceil(this.#maxBytes / 8))
    this.#sync = createThrottle(() => this.#runSync(), options.syncGapMs ?? defaultSyncGapMs)
    const { generation, segments } = listSegments(dir)
    this.#generation = generation
    this.#segments = segments
    const newest = segments.at(-1)
    if (newest === undefined) {
      this.#id = randomUUID()
      this.#marks = {}
      this.#lastSeq = 0
      const head = { spool: this.#id, marks: {} }
      const { segment, file } = beginSegment(dir, { generation, firstSeq: 1, head })
      this.#segments.push(segment)
      this.#active = segment
      this.#file = file
    } else {
      const head = readHead(newest.path)
      if (head === null) throw new LabError('LAB_AGENT_SPOOL_DAMAGED', { path: newest.path })
      const { lastSeq, marks } = recoverSegment(newest, head.marks)
      this.#id = head.spool
      this.#marks = marks
      this.#lastSeq = lastSeq
      this.#active = newest
      this.#file = openSync(newest.path, 'r+')
    }
    this.#drops = new DropCount(join(dir, 'dropped.json'), this.#marks)
    this.#syncedSeq = this.#knownSeq = this.#lastSeq
    this.#ackedSeq = (this.#segments[0]?.firstSeq ?? 1) - 1
  }

  get id(): string {
    return this.#id
  }
  get firstSeq(): number {
    return this.#ackedSeq + 1
  }
  get lastSeq(): number {
    return this.#lastSeq
  }
  get syncedSeq(): number {
    return this.#syncedSeq
  }

  append(samples: readonly Sample[], options: AppendOptions = {}): boolean {
    const untold = samples.length === 0 ? null : this.#drops.untold(this.#marks)
    const all = untold === null ? samples : [...untold.samples, ...samples]
    const marks = { ...untold?.marks, ...options.marks }
    const frame = encodeFrame(this.#lastSeq + 1, all.length, { samples: all, marks })
    // Marks alone are always taken: they are few, and what they tell has happened.
    const fits = samples.length === 0 || this.#bytes() + frame.length <= this.#maxBytes
    if (!fits || !this.#write(frame)) {
      if (options.whenFull !== 'refuse') this.#drops.add(samples)
      return false
    }
    this.#lastSeq += all.length
    setMarks(this.#marks, marks)
    this.#sync.ask()
    return true
  }

  mark(key: string): unknown {
    return this.#marks[key]
  }

  read(fromSeq: number, maxRecords: number, maxBytes = defaultReadBytes): SampleRecord[] {
    const records = this.#read(fromSeq, this.#syncedSeq, { maxRecords, maxBytes })
    this.#knownSeq = Math.max(this.#knownSeq, records.at(-1)?.seq ?? 0)
    return records
  }

  #read(
    fromSeq: number,
    untilSeq: number,
    most: { readonly maxRecords: number; readonly maxBytes: number },
  ): SampleRecord[] {
    const first = Math.max(fromSeq, this.#segments[0]?.firstSeq ?? 1)
    return this.#reader.read({ segments: this.#segments, fromSeq: first, untilSeq, ...most })
  }

  trim(seq: number): void {
    if (seq <= this.#ackedSeq) return
    this.#ackedSeq = Math.min(seq, this.#lastSeq)
    if (this.#ackedSeq === this.#lastSeq && this.#active.bytes > this.#segmentBytes / 4)
      this.#rollIfRoom()
    let kept = this.#segments.findLastIndex((one) => one.firstSeq <= this.#ackedSeq + 1)
    if (kept < 0) kept = 0
    for (const { path } of this.#segments.splice(0, kept)) rmSync(path)
    for (const listener of this.#trimListeners) listener()
  }

  isOutrun(committedSeq: number): boolean {
    return committedSeq > this.#knownSeq
  }

  renew(): void {
    const old = this.#segments
    const id = randomUUID()
    const kept = this.#lastSeq - this.#knownSeq
    const head = { spool: id, marks: this.#marks }
    const frames = this.#framesFrom1()
    this.#change({ generation: this.#generation + 1, firstSeq: 1, head, frames })
    this.#generation++
    this.#id = id
    this.#segments = [this.#active]
    this.#lastSeq = this.#syncedSeq = kept
    this.#ackedSeq = this.#knownSeq = 0
    this.#reader.close()
    for (const { path } of old) rmSync(path)
    for (const listener of this.#trimListeners) listener()
  }

  /** What the server cannot have, numbered from 1. */
  *#framesFrom1(): Iterable<Buffer> {
    const most = { maxRecords: renewRecords, maxBytes: defaultReadBytes }
    for (let seq = this.#knownSeq + 1; seq <= this.#lastSeq;) {
      const records = this.#read(seq, this.#lastSeq, most)
      const samples = records.map(({ seq: _, ...sample }) => sample)
      yield encodeFrame(seq - this.#knownSeq, samples.length, { samples })
      seq += records.length
    }
  }

  sync(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#syncWaiters.push(() => resolve(undefined))
    this.#sync.ask()
    return promise
  }

  onAppend(listener: () => void): () => void {
    this.#appendListeners.add(listener)
    return () => this.#appendListeners.delete(listener)
  }

  onTrim(listener: () => void): () => void {
    this.#trimListeners.add(listener)
    return () => this.#trimListeners.delete(listener)
  }

  async close(): Promise<void> {
    await this.#sync.stop()
    await this.#runSync()
    this.#appendListeners.clear()
    this.#trimListeners.clear()
    this.#reader.close()
    closeSync(this.#file)
  }

  #bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** Write a frame at the end; false when the disk is full, and then nothing of it stays. */
  #write(frame: Buffer): boolean {
    try {
      const empty = this.#lastSeq < this.#active.firstSeq
      if (!empty && this.#active.bytes + frame.length > this.#segmentBytes) this.#roll()
      writeWhole(this.#file, frame, this.#active.bytes)
    } catch (error) {
      if (!isNoSpace(error)) throw error
      ftruncateSync(this.#file, this.#active.bytes)
      return false
    }
    this.#active.bytes += frame.length
    return true
  }

  #roll(): void {
    const head = { spool: this.#id, marks: this.#marks }
    this.#change({ generation: this.#generation, firstSeq: this.#lastSeq + 1, head })
    this.#segments.push(this.#active)
  }

  /** A new segment, so that the one before can go. On a full disk that one stays until the next is begun. */
  #rollIfRoom(): void {
    try {
      this.#roll()
    } catch (error) {
      if (!isNoSpace(error)) throw error
    }
  }

  /** Append to a new segment from now on. */
  #change(start: SegmentStart): void {
    const old = this.#file
    fdatasyncSync(old)
    const begun = beginSegment(this.#dir, start)
    this.#active = begun.segment
    this.#file = begun.file
    // A sync under way still uses the old file; it is closed after it.
    this.#syncWaiters.push(() => closeSync(old))
    this.#sync.ask()
  }

  async #runSync(): Promise<void> {
    const waiters = this.#syncWaiters
    const id = this.#id
    const seq = this.#lastSeq
    this.#syncWaiters = []
    await promisify(fdatasync)(this.#file)
    if (id === this.#id) this.#syncedSeq = Math.max(this.#syncedSeq, seq)
    for (const done of waiters) done()
    for (const listener of this.#appendListeners) listener()
  }
}

function isNoSpace(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  )
}
