import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { isFull } from '../../errno.ts'
import { beginSegment, writeWhole, type Segment, type SegmentStart } from './segment.ts'
import { Tally } from './tally.ts'

/** The segments of a spool. The newest one is open for appending. */
export class SegmentFiles {
  readonly tally: Tally
  readonly #dir: string
  #segments: Segment[]
  #active: Segment
  #file: number
  /** Files that are not written any more. They are closed after a sync, because a running sync may still use them. */
  #retired: number[] = []

  /** Open existing segments. The last one is appended to. */
  static open(dir: string, segments: readonly [...Segment[], Segment], tally: Tally): SegmentFiles {
    const active = segments[segments.length - 1] ?? segments[0]
    return new SegmentFiles(dir, { segments, active, file: openSync(active.path, 'r+'), tally })
  }

  /** Create the first segment. */
  static begin(dir: string, start: SegmentStart): SegmentFiles {
    const { segment, file } = beginSegment(dir, start)
    return new SegmentFiles(dir, { segments: [segment], active: segment, file, tally: new Tally() })
  }

  private constructor(
    dir: string,
    from: {
      readonly segments: readonly Segment[]
      readonly active: Segment
      readonly file: number
      readonly tally: Tally
    },
  ) {
    this.#dir = dir
    this.#segments = [...from.segments]
    this.#active = from.active
    this.#file = from.file
    this.tally = from.tally
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  get active(): Segment {
    return this.#active
  }

  /** The bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** Append a frame. On a full disk nothing of it is written, and the error is thrown. */
  write(frame: Buffer, source: string | null): void {
    try {
      writeWhole(this.#file, frame, this.#active.bytes)
    } catch (error) {
      ftruncateSync(this.#file, this.#active.bytes)
      throw error
    }
    this.#active.bytes += frame.length
    if (source !== null) this.tally.add(this.#active.path, source, frame.length)
  }

  /**
   * Append to a new segment from now on. A segment that begins with the same seq has no samples, and is replaced. If the new segment cannot be made, this throws, and nothing
   * has changed.
   */
  roll(start: SegmentStart): void {
    const before = this.tally.of(this.#active.path)
    const isReplaced = start.firstSeq === this.#active.firstSeq
    if (!isReplaced) fdatasyncSync(this.#file)
    const head = isReplaced ? start.head : { ...start.head, before }
    this.#append(beginSegment(this.#dir, { ...start, head }))
    if (isReplaced) this.#segments.pop()
    this.#segments.push(this.#active)
  }

  /** Create a new segment, which may contain frames of the old ones, and remove the old ones. */
  replaceAll(start: SegmentStart): void {
    const old = this.#segments
    fdatasyncSync(this.#file)
    this.#append(beginSegment(this.#dir, start))
    this.#segments = [this.#active]
    for (const segment of old) this.#remove(segment)
  }

  /** Remove the segments whose samples all come before a seq. The last segment stays. */
  removeBefore(seq: number): void {
    const kept = Math.max(
      0,
      this.#segments.findLastIndex((one) => one.firstSeq <= seq),
    )
    for (const segment of this.#segments.splice(0, kept)) this.#remove(segment)
  }

  /** Wait until everything that was appended survives a power cut. Calls must not overlap. */
  async sync(): Promise<void> {
    const retired = this.#retired
    this.#retired = []
    await promisify(fdatasync)(this.#file)
    for (const file of retired) closeSync(file)
  }

  /** Close the files. Called after the last sync. */
  close(): void {
    for (const file of [...this.#retired, this.#file]) closeSync(file)
  }

  #append(begun: { readonly segment: Segment; readonly file: number }): void {
    this.#retired.push(this.#file)
    this.#active = begun.segment
    this.#file = begun.file
  }

  #remove({ path }: Segment): void {
    rmSync(path)
    this.tally.remove(path)
  }
}

/** Write to the disk. Returns false when the disk, or the quota of the owner, is full. */
export function unlessFull(write: () => void): boolean {
  try {
    write()
    return true
  } catch (error) {
    if (isFull(error)) return false
    throw error
  }
}
