import { closeSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { droppedMeasurement } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { indexEntryBytes, parseIndex, type IndexEntry } from '../domain/catcher-index.ts'
import { splitLines, toSample } from '../domain/line-samples.ts'
import { nowUs, type Sample } from '../sample.ts'
import type { Spool } from '../spool/spool.ts'

/** How far a catcher's stream has been read into the spool: kept as a mark, in one frame with the samples that were read. */
const Position = Type.Object({
  /** Where the segment begins that is being read. */
  segment: Type.Integer(),
  indexBytes: Type.Integer(),
  end: Type.Integer(),
  /** The beginning of a line whose end has not come yet, base64. */
  rest: Type.String(),
  /** How many dropped lines have been told. */
  dropped: Type.Integer(),
})
type Position = Static<typeof Position>

/** Options of {@link createTailer}. */
export interface TailerOptions {
  readonly spool: Spool
  /** The catcher's folder. */
  readonly dir: string
  /** The key of its mark in the spool: another one for each stream. */
  readonly markKey: string
  /** The `source` of its samples. */
  readonly source: string
}

/** Reads what a catcher has caught into the spool, each line exactly once. */
export interface Tailer {
  /** Read all there is. Resolves with false when the spool was full: try again when it has been trimmed. */
  drain(): Promise<boolean>
  /** Read all there is, for the last time: what a full spool cannot take is counted as dropped. */
  drainLast(): Promise<void>
}

/** The most bytes and index entries read at once. */
const stepBytes = 256 * 1024
const stepEntries = 512

/** Make the tailer of one catcher's folder. Its drains must not overlap. */
export function createTailer(options: TailerOptions): Tailer {
  const { spool, dir, markKey, source } = options
  const mark = spool.mark(markKey)
  let position: Position = Value.Check(Position, mark)
    ? mark
    : { segment: 0, indexBytes: 0, end: 0, rest: '', dropped: 0 }

  let whenFull: 'refuse' | 'count' = 'refuse'

  /** Append samples together with the position after them. */
  function take(samples: readonly Sample[], next: Position): boolean {
    const marks = { [markKey]: next }
    const taken = spool.append(samples, { marks, whenFull })
    if (!taken && whenFull === 'refuse') return false
    if (!taken) spool.append([], { marks })
    position = next
    return true
  }

  /** Read the next index entries, and what came with them. Null when there are none now. */
  function step(): boolean | null {
    // Listed first: a segment that another one follows is not written any more.
    const starts = listStarts(dir)
    const following = starts.find((start) => start > position.segment)
    const isWritten = following === undefined && whenFull === 'refuse'
    const indexed = readEntries(dir, position)
    const entries = indexed.length > 0 || isWritten ? indexed : coverUnindexed(dir, position)
    const last = entries.at(-1)
    if (last === undefined) {
      if (following === undefined) return null
      position = { ...position, segment: following, indexBytes: 0, end: following }
      return true
    }
    const bytes = readRange(dataPath(dir, position.segment), position.end - position.segment, last)
    const samples: Sample[] = []
    let rest: Uint8Array = Buffer.from(position.rest, 'base64')
    let from = 0
    for (const { end, timeUs } of entries) {
      const split = splitLines(rest, bytes.subarray(from, end - position.end))
      for (const line of split.lines) samples.push(toSample(line, source, timeUs))
      rest = split.rest
      from = end - position.end
    }
    return take(samples, {
      ...position,
      indexBytes: position.indexBytes + indexed.length * indexEntryBytes,
      end: last.end,
      rest: Buffer.from(rest).toString('base64'),
    })

    function readRange(path: string, at: number, until: IndexEntry): Buffer {
      const buffer = Buffer.alloc(until.end - position.end)
      return buffer.subarray(0, readAt(path, buffer, at))
    }
  }

  function tellDropped(): boolean {
    const dropped = readDropped(dir)
    const lines = dropped - position.dropped
    if (lines <= 0) return true
    const sample = { time_us: nowUs(), source, name: droppedMeasurement, fields: { lines } }
    return take([sample], { ...position, dropped })
  }

  async function drain(): Promise<boolean> {
    for (;;) {
      const stepped = step()
      if (stepped === false) return false
      if (stepped === null) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (!tellDropped()) return false
    await removeRead(spool, dir, position.segment)
    return true
  }

  return {
    drain,
    async drainLast() {
      whenFull = 'count'
      await drain()
    },
  }
}

/** Remove the segments before the one being read, once what was read of them is safe. */
async function removeRead(spool: Spool, dir: string, segment: number): Promise<void> {
  const read = listStarts(dir).filter((start) => start < segment)
  if (read.length === 0) return
  await spool.sync()
  for (const start of read) {
    // The data goes last, for segments are found by it.
    rmSync(indexPath(dir, start), { force: true })
    rmSync(dataPath(dir, start), { force: true })
  }
}

function readEntries(dir: string, position: Position): readonly IndexEntry[] {
  const buffer = Buffer.alloc(stepEntries * indexEntryBytes)
  const bytes = readAt(indexPath(dir, position.segment), buffer, position.indexBytes)
  const entries = parseIndex(buffer.toString('latin1', 0, bytes))
  const fitting = entries.filter(({ end }) => end - position.end <= stepBytes)
  return fitting.length > 0 ? fitting : entries.slice(0, 1)
}

/** An entry for what a segment that nobody writes any more has beyond its last readable one: its catcher was killed, or its index is damaged. */
function coverUnindexed(dir: string, position: Position): readonly IndexEntry[] {
  const data = statSync(dataPath(dir, position.segment), { throwIfNoEntry: false })
  const end = Math.min(position.segment + (data?.size ?? 0), position.end + stepBytes)
  if (data === undefined || end <= position.end) return []
  return [{ end, timeUs: Math.round(data.mtimeMs * 1000) }]
}

function readAt(path: string, buffer: Buffer, at: number): number {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
  try {
    return readSync(file, buffer, 0, buffer.length, at)
  } finally {
    closeSync(file)
  }
}

function listStarts(dir: string): readonly number[] {
  const starts = readdirSync(dir).flatMap((name) => {
    const match = /^(\d{16})\.data$/u.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return starts.sort((one, other) => one - other)
}

function readDropped(dir: string): number {
  try {
    const count = Number(readFileSync(join(dir, 'dropped'), 'utf8'))
    return Number.isSafeInteger(count) ? count : 0
  } catch {
    // No catcher has run yet.
    return 0
  }
}

function dataPath(dir: string, start: number): string {
  return join(dir, `${String(start).padStart(16, '0')}.data`)
}

function indexPath(dir: string, start: number): string {
  return join(dir, `${String(start).padStart(16, '0')}.index`)
}
