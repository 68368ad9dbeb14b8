import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { LabError, SampleRecord } from '@community-lab/contract'
import { mayHold } from '../domain/share.ts'
import { nodeSource, type Sample } from '../sample.ts'
import { createThrottle, type Throttle } from '../throttle.ts'
import { DropCount } from './drop-count.ts'
import { unlessFull, type SegmentFiles } from './files.ts'
import { encodeGroup } from './block-group.ts'
import { SegmentReader } from './reader.ts'
import { recoverSpool, setMarks } from './recovery.ts'
import { syncFolder, type Marks } from './segment.ts'
import type { AppendOptions, Spool, StoredBlock } from './spool.ts'

/** Options of {@link openSpool}. */
export interface SpoolOptions {
  /** The most bytes of its segments on disk; default {@link defaultSpoolBytes}. */
  readonly maxBytes?: number
  /** The shortest time from one fdatasync's start to the next, in milliseconds; default 50. */
  readonly syncGapMs?: number
  /** Called for each segment that could not be read and was set aside. */
  readonly onProblem?: (error: LabError) => void
}

/** The default for the most disk space of a spool, in bytes. */
export const defaultSpoolBytes = 256 * 1024 * 1024
const largestSegmentBytes = 4 * 1024 * 1024
/** The share of a spool that is reserved for marks, and the share reserved for the node's own samples, each as a divisor. */
const markShare = 16
const nodeShare = 32
const defaultReadBytes = 512 * 1024
const defaultSyncGapMs = 50
/** The number of records in one frame when a spool is renewed. */
const renewRecords = 1_000

/**
 * Open the spool in a folder, or create one. Only one process may have it open.
 *
 * Samples are written in columns, as frames with a CRC, into segment files of up to 4 MiB. When `append` returns, the write is in the kernel, so it survives a kill of this
 * process. fdatasync follows at once if there was none for 50 ms; otherwise it is grouped with the other writes of those 50 ms. Only synced samples are read,
 * and thus sent. So after a power cut the node never uses a seq again that the server already has. A torn tail is cut when the spool is opened. Samples are
 * never overwritten: a full spool drops new samples, and reports their number when there is room. Slivers share the spool ({@link mayHold}), so a sliver that
 * floods it leaves room for the others, and a part is reserved for the node's own samples.
 *
 * Errors of the disk are thrown unchanged. A failed fdatasync ends the process, because it is unknown then what is on disk.
 */
export function openSpool(path: string, options: SpoolOptions = {}): Promise<Spool> {
  return Promise.resolve().then(() => {
    const dir = resolve(path)
    const first = mkdirSync(dir, { recursive: true, mode: 0o700 })
    // A folder is in the one above it. A power cut must not take it with all that is in it: its samples count as safe, and are sent.
    const outermost = dirname(first ?? dir)
    for (let folder = dirname(dir); ; folder = dirname(folder)) {
      syncFolder(folder)
      if (folder.length <= outermost.length) break
    }
    return new FileSpool(dir, options)
  })
}

class FileSpool implements Spool {
  readonly #maxBytes: number
  readonly #segmentBytes: number
  readonly #files: SegmentFiles
  readonly #drops: DropCount
  readonly #reader: SegmentReader
  /** The key of the frames that are written. */
  readonly #key: Buffer
  readonly #sync: Throttle
  readonly #appendListeners = new Set<() => void>()
  readonly #trimListeners = new Set<() => void>()
  #syncWaiters: (() => void)[] = []
  #id: string
  #generation: number
  #marks: Marks
  #lastSeq: number
  #syncedSeq: number
  #ackedSeq: number
  /** The last seq that the server can have: it was here when the spool was opened, was read since, or was acknowledged. */
  #knownSeq: number
  /** Whether the newest segment is of an older version. Then a new one is begun before anything is written. */
  #isOld: boolean

  constructor(dir: string, options: SpoolOptions) {
    this.#maxBytes = options.maxBytes ?? defaultSpoolBytes
    this.#segmentBytes = Math.min(largestSegmentBytes, Math.ceil(this.#maxBytes / 8))
    this.#sync = createThrottle(() => this.#runSync(), options.syncGapMs ?? defaultSyncGapMs)
    const found = recoverSpool(dir, options.onProblem ?? (() => undefined))
    this.#files = found.files
    this.#key = found.key
    this.#reader = new SegmentReader(found.key)
    this.#generation = found.generation
    this.#id = found.id
    this.#marks = found.marks
    this.#isOld = found.isOld
    this.#lastSeq = this.#syncedSeq = this.#knownSeq = found.lastSeq
    this.#ackedSeq = (this.#files.segments[0]?.firstSeq ?? 1) - 1
    this.#drops = new DropCount(join(dir, 'dropped.json'), this.#marks)
  }

  get id(): string {
    return this.#id
  }
  get firstSeq(): number {
    return this.#ackedSeq + 1
  }
  get keptSeq(): number {
    return this.#files.segments[0]?.firstSeq ?? this.firstSeq
  }
  get lastSeq(): number {
    return this.#lastSeq
  }
  get syncedSeq(): number {
    return this.#syncedSeq
  }

  append(samples: readonly Sample[], options: AppendOptions = {}): boolean {
    if (samples.length === 0) return this.#appendMarks(options.marks ?? {})
    const source = samples[0]?.source ?? nodeSource
    const unreported = this.#drops.unreported(this.#marks)
    const all = unreported === null ? samples : [...unreported.samples, ...samples]
    const marks = { ...unreported?.marks, ...options.marks }
    const frame = encodeGroup(this.#lastSeq + 1, { samples: all, marks }, this.#key)
    if (!this.#hasRoom(source, frame.length) || !this.#write(frame, source)) {
      if (options.whenFull !== 'refuse') this.#drops.add(samples)
      return false
    }
    this.#lastSeq += all.length
    setMarks(this.#marks, marks)
    this.#sync.ask()
    return true
  }

  /** Write marks in a frame of their own. When there is no room for it, begin a new segment instead: its head has all marks and replaces older ones. */
  #appendMarks(marks: Marks): boolean {
    const frame = encodeGroup(this.#lastSeq + 1, { samples: [], marks }, this.#key)
    const { active, bytes } = this.#files
    const begins = this.#hasSamples()
      ? bytes + frame.length > this.#maxBytes - this.#maxBytes / markShare
      : active.bytes + frame.length > this.#segmentBytes / 4
    const before = { ...this.#marks }
    setMarks(this.#marks, marks)
    if (begins ? !this.#rollIfRoom() : !this.#write(frame, null)) {
      this.#marks = before
      return false
    }
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

  readBlocks(fromSeq: number, maxRecords: number): readonly StoredBlock[] {
    const most = { maxRecords, maxBytes: defaultReadBytes }
    const blocks = this.#reader.readBlocks({ ...this.#range(fromSeq, this.#syncedSeq), ...most })
    const last = blocks.at(-1)
    if (last !== undefined) this.#knownSeq = Math.max(this.#knownSeq, last.firstSeq + last.rows - 1)
    return blocks
  }

  #read(
    fromSeq: number,
    untilSeq: number,
    most: { readonly maxRecords: number; readonly maxBytes: number },
  ): SampleRecord[] {
    return this.#reader.read({ ...this.#range(fromSeq, untilSeq), ...most })
  }

  #range(fromSeq: number, untilSeq: number) {
    const { segments } = this.#files
    return { segments, fromSeq: Math.max(fromSeq, segments[0]?.firstSeq ?? 1), untilSeq }
  }

  trim(seq: number): void {
    if (seq <= this.#ackedSeq) return
    this.#ackedSeq = Math.min(seq, this.#lastSeq)
    this.#knownSeq = Math.max(this.#knownSeq, this.#ackedSeq)
    const isAllAcked = this.#ackedSeq === this.#lastSeq
    if (isAllAcked && this.#files.active.bytes > this.#segmentBytes / 4) this.#rollIfRoom()
    this.#files.removeBefore(this.#ackedSeq + 1)
    for (const listener of this.#trimListeners) listener()
  }

  isOutrun(committedSeq: number): boolean {
    return committedSeq > this.#knownSeq
  }

  renew(): void {
    const id = randomUUID()
    const kept = this.#lastSeq - this.#knownSeq
    const head = { spool: id, marks: this.#marks }
    const frames = this.#framesFrom1()
    const generation = this.#generation + 1
    this.#files.replaceAll({ generation, firstSeq: 1, head, key: this.#key, frames })
    this.#generation = generation
    this.#isOld = false
    this.#sync.ask()
    this.#id = id
    this.#lastSeq = this.#syncedSeq = kept
    this.#ackedSeq = this.#knownSeq = 0
    this.#reader.close()
    for (const listener of this.#trimListeners) listener()
  }

  /** Return what the server cannot have, numbered from 1. */
  *#framesFrom1(): Iterable<Buffer> {
    for (let seq = this.#knownSeq + 1; seq <= this.#lastSeq;) {
      const most = { maxRecords: renewRecords, maxBytes: defaultReadBytes }
      const records = this.#read(seq, this.#lastSeq, most)
      const samples = records.map(({ seq: _, ...sample }) => sample)
      yield encodeGroup(seq - this.#knownSeq, { samples }, this.#key)
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
    this.#files.close()
  }

  /** Tell whether the newest segment has samples. */
  #hasSamples(): boolean {
    return this.#lastSeq >= this.#files.active.firstSeq
  }

  #hasRoom(source: string, moreBytes: number): boolean {
    const most = this.#maxBytes - this.#maxBytes / markShare
    const leftBytes = most - this.#files.bytes
    if (source === nodeSource) return moreBytes <= leftBytes
    const freeBytes = leftBytes - this.#maxBytes / nodeShare
    return mayHold({ heldBytes: this.#files.tally.held(source), moreBytes, freeBytes })
  }

  /** Append a frame. Returns false when the disk is full; then nothing of the frame is written. */
  #write(frame: Buffer, source: string | null): boolean {
    return unlessFull(() => {
      const isFull = this.#files.active.bytes + frame.length > this.#segmentBytes
      if (this.#isOld || (this.#hasSamples() && isFull)) this.#roll()
      this.#files.write(frame, source)
    })
  }

  #roll(): void {
    // A segment without samples is replaced by a file of the same name, so the reader must close the old one.
    if (!this.#hasSamples()) this.#reader.close()
    const head = { spool: this.#id, marks: this.#marks }
    const start = { generation: this.#generation, firstSeq: this.#lastSeq + 1 }
    this.#files.roll({ ...start, head, key: this.#key })
    this.#isOld = false
    this.#sync.ask()
  }

  /** Begin a new segment, so that the previous one can be removed. On a full disk the previous one stays until a new one can be written. */
  #rollIfRoom(): boolean {
    return unlessFull(() => this.#roll())
  }

  async #runSync(): Promise<void> {
    const waiters = this.#syncWaiters
    const id = this.#id
    const seq = this.#lastSeq
    this.#syncWaiters = []
    await this.#files.sync()
    if (id === this.#id) this.#syncedSeq = Math.max(this.#syncedSeq, seq)
    for (const done of waiters) done()
    for (const listener of this.#appendListeners) listener()
  }
}
