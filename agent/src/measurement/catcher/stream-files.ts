import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { indexEntryBytes, parseIndex, type IndexEntry } from '../domain/catcher-index.ts'

/** A position in a stream. A catcher's folder contains the newest part of the stream in segments. */
export interface StreamPlace {
  /** The beginning of the segment that contains the position. */
  readonly segment: number
  /** The bytes of that segment's index for what is before the position. */
  readonly indexBytes: number
  /** The bytes of the whole stream before the position. */
  readonly end: number
}

/** The lines that a catcher has discarded since the stream began, with a recent one as an example. */
export interface LostLines {
  readonly lines: number
  readonly example: string
}

/** The most index entries of one read. */
export const mostEntries = 512
/** Entries are parsed before anything else is read into this memory. */
const entriesBuffer = Buffer.alloc(mostEntries * indexEntryBytes)

/** List the beginnings of a folder's segments, in order. */
export function listStarts(dir: string): readonly number[] {
  const starts = readdirSync(dir).flatMap((name) => {
    const match = /^(\d{16})\.data$/u.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return starts.sort((one, other) => one - other)
}

/** Return the number of bytes of the whole stream that are in the files, or were there. */
export function findEnd(dir: string): number {
  const start = listStarts(dir).at(-1) ?? 0
  return start + (statSync(dataPath(dir, start), { throwIfNoEntry: false })?.size ?? 0)
}

/** Read the index entries after a position: as many as cover at most so many bytes, but at least one if there is one. */
function readEntries(
  dir: string,
  { segment, indexBytes, end }: StreamPlace,
  maxBytes: number,
): readonly IndexEntry[] {
  const bytes = readAt(indexPath(dir, segment), entriesBuffer, indexBytes)
  const entries = parseIndex(entriesBuffer.toString('latin1', 0, bytes))
  const fitting = entries.filter((entry) => entry.end - end <= maxBytes)
  return fitting.length > 0 ? fitting : entries.slice(0, 1)
}

/**
 * Make an entry for the bytes of a segment after its last readable entry. The segment must not be written any more. Such bytes exist when the catcher was
 * killed or the index is damaged. The entry's time is that of the segment's last write.
 */
function coverUnindexed(
  dir: string,
  { segment, end }: StreamPlace,
  maxBytes: number,
): readonly IndexEntry[] {
  const data = statSync(dataPath(dir, segment), { throwIfNoEntry: false })
  const until = Math.min(segment + (data?.size ?? 0), end + maxBytes)
  if (data === undefined || until <= end) return []
  return [{ end: until, timeUs: Math.round(data.mtimeMs * 1000) }]
}

/** What comes after a position. */
export interface FoundEntries {
  readonly entries: readonly IndexEntry[]
  /** Whether the entries are in the index. */
  readonly isIndexed: boolean
  /** The beginning of the next segment, when this one has no further entries in its index. */
  readonly following?: number | undefined
}

/** Find what comes after a position: further entries, or, when nobody writes the segment any more, bytes that no entry describes and the next segment. */
export function findEntries(
  dir: string,
  place: StreamPlace,
  { turnBytes, isLast }: { readonly turnBytes: number; readonly isLast: boolean },
): FoundEntries {
  const soon = readEntries(dir, place, turnBytes)
  if (soon.length > 0) return { entries: soon, isIndexed: true }
  // List the segments first: a segment with a successor is not written any more.
  const following = listStarts(dir).find((start) => start > place.segment)
  const entries = readEntries(dir, place, turnBytes)
  const isWritten = following === undefined && !isLast
  if (entries.length > 0 || isWritten) return { following, entries, isIndexed: true }
  return { following, entries: coverUnindexed(dir, place, turnBytes), isIndexed: false }
}

/** Read the bytes of a segment from a position on; fewer than requested when the file has fewer. */
export function readBytes(dir: string, { segment, end }: StreamPlace, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes)
  return buffer.subarray(0, readAt(dataPath(dir, segment), buffer, end - segment))
}

/** Read the number of lines that were dropped because the catcher's files or the disk were full. */
export function readDropped(dir: string): number {
  const count = Number(readText(join(dir, 'dropped')))
  return Number.isSafeInteger(count) ? count : 0
}

/**
 * Read the number of lines that were refused because they came too fast. The file contains the number twice. When the two differ, the file was being written,
 * and null is returned.
 */
export function readRefused(dir: string): LostLines | null {
  const match = /^(\d{20}) (.*) (\d{20})\n$/su.exec(readText(join(dir, 'refused')))
  const [, first, example = '', second] = match ?? []
  if (first === undefined || first !== second) return null
  return { lines: Number(first), example: example.trim() }
}

export function dataPath(dir: string, start: number): string {
  return join(dir, `${String(start).padStart(16, '0')}.data`)
}

export function indexPath(dir: string, start: number): string {
  return join(dir, `${String(start).padStart(16, '0')}.index`)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    // No catcher has run yet.
    if (isMissing(error)) return ''
    throw error
  }
}

function readAt(path: string, buffer: Buffer, at: number): number {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
  try {
    return readSync(file, buffer, 0, buffer.length, at)
  } finally {
    closeSync(file)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
