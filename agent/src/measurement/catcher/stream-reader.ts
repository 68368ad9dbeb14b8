import { rmSync } from 'node:fs'
import { LabError, maxLineBytes, runOfLine } from '@community-lab/contract'
import { indexEntryBytes } from '../domain/catcher-index.ts'
import { lostPower, textOf, type LineContext } from '../domain/line-samples.ts'
import type { Rate } from '../domain/rate.ts'
import { addRefusal, bufferFull, tellRefusals, type Refusal } from '../domain/refusals.ts'
import { nowUs, type Sample } from '../sample.ts'
import type { Spool } from '../spool/spool.ts'
import { takeIn } from './line-intake.ts'
import { moveTo, parsePosition, positionAt, type Position } from './position.ts'
import {
  dataPath,
  findEnd,
  findEntries,
  indexPath,
  listStarts,
  mostEntries,
  readBytes,
  readDropped,
  readRefused,
} from './stream-files.ts'

/** Options of {@link createStreamReader}. */
export interface StreamReaderOptions extends LineContext {
  readonly spool: Spool
  /** The stream's folder. */
  readonly dir: string
  /** The key of its mark in the spool. It is different for each stream. */
  readonly markKey: string
  /** The most samples per second; default {@link defaultSampleRate}. */
  readonly rate?: Rate
  /** Called when the position up to which the stream was read is unknown. */
  readonly onProblem?: (error: unknown) => void
}

/** The result of a turn of a reader. */
export type Turn =
  /** There is more to read now. */
  | 'more'
  /** Something was read, and nothing else was there. More may come soon. */
  | 'some'
  /** The spool is full: try again after it was trimmed. */
  | 'full'
  /** Everything is read. */
  | 'done'
  /** Everything is read. In one second there is something to report. */
  | 'done for a second'

/** Reads the caught lines of a stream into the spool, each line exactly once. Its calls must not overlap. */
export interface StreamReader {
  /** Read a bounded part of what is there. */
  turn(): Promise<Turn>
  /** Read everything for the last time. Samples that do not fit into the spool are counted as dropped. */
  drainLast(): Promise<void>
  /**
   * Append a sample, with marks, after those of everything that is in the files now. The turns do it. What is known of lost lines is reported before it. Returns false when the
   * spool was full, or this reader was let go: then nothing was appended.
   */
  appendAfter(sample: Sample, marks: Readonly<Record<string, unknown>>): Promise<boolean>
  /** There are no more turns. */
  letGo(): void
}

/**
 * The most samples of one sliver. It is enough for a program that measures each packet of a fast link for ten seconds. A program that writes without end costs
 * its node no more than a few percent of a core.
 */
export const defaultSampleRate: Rate = { perSecond: 5_000, burst: 50_000 }

/** The most bytes and lines of one turn, so that a turn takes milliseconds. */
const turnBytes = 256 * 1024
const turnLines = 500
/** How often lost lines are looked for while there is always something to read, in milliseconds. */
const tellEveryMs = 1_000

/** Make the reader of one catcher's folder. */
export function createStreamReader(options: StreamReaderOptions): StreamReader {
  const { spool, dir, markKey, source, wasCut = false, rate = defaultSampleRate } = options
  const { checks } = options
  const lineContext = { source, wasCut, ...(checks === undefined ? {} : { checks }) }
  let position = findPosition(options)
  /** Whether the spool has the position. A position after lines without samples can be saved later: without it, these lines are only read again. */
  let isSaved = true
  let isLast = false
  /** Whether there may be segments before the current one. */
  let hasRead = true
  let toldMs = Number.NEGATIVE_INFINITY
  const followers = new Set<Follower>()

  /** Append samples together with the position after them. */
  function take(samples: readonly Sample[], next: Position): boolean {
    if (samples.length > 0) {
      const marks = { [markKey]: next }
      const taken = spool.append(samples, { marks, whenFull: isLast ? 'count' : 'refuse' })
      if (!taken && !isLast) return false
      position = next
      isSaved = taken || spool.append([], { marks })
      return true
    }
    position = next
    isSaved = false
    return true
  }

  /** Save the position in the spool. */
  function save(): boolean {
    isSaved ||= spool.append([], { marks: { [markKey]: position } })
    return isSaved
  }

  /** Read the next lines, or go on to the next segment. Returns null when there is nothing to read now. */
  function step(): Turn | null {
    const { entries, isIndexed, following } = findEntries(dir, position, { turnBytes, isLast })
    const last = entries.at(-1)
    if (last === undefined) {
      if (following === undefined) return null
      const lost = wasCut ? following - position.end : 0
      const refusals = addLostBytes(position.refusals ?? [], lost, nowUs())
      const begun = lost > 0 ? breakLine(Buffer.from(position.rest, 'base64')) : null
      const place = { segment: following, indexBytes: 0, end: following }
      position = { ...position, ...place, refusals: [...refusals] }
      if (begun !== null) position = moveTo(position, place, begun)
      isSaved = false
      hasRead = true
      return 'more'
    }
    const bytes = readBytes(dir, position, last.end - position.end)
    const { samples, refusals, allowance, rest, bytesRead, entriesRead } = takeIn(
      {
        refusals: position.refusals ?? [],
        allowance: position.allowance ?? null,
        rest: Buffer.from(position.rest, 'base64'),
      },
      { entries, bytes, from: position.end },
      { ...lineContext, rate, maxLines: turnLines },
    )
    const place = {
      segment: position.segment,
      indexBytes: position.indexBytes + (isIndexed ? entriesRead * indexEntryBytes : 0),
      end: position.end + bytesRead,
    }
    // Of all that the index tells of, when that is read to its end.
    const isRead = place.end === last.end
    const lost = wasCut && isRead ? last.end - position.end - bytes.length : 0
    const rejected = tellRefusals(addLostBytes(refusals, lost, last.timeUs), {
      ...{ source, nowUs: last.timeUs },
    })
    const begun = lost > 0 ? breakLine(rest) : rest
    const next = { ...moveTo(position, place, begun), refusals: [...rejected.left] }
    const taken = take(
      rejected.samples.length === 0 ? samples : [...samples, ...rejected.samples],
      allowance === null ? next : { ...next, allowance },
    )
    if (!taken) return 'full'
    const isWhole = entriesRead === entries.length && entries.length < mostEntries
    return isWhole && bytes.length < turnBytes / 2 ? 'some' : 'more'
  }

  /** Add the lines that the catcher has dropped or refused since the last look. */
  function addLost(
    refusals: readonly Refusal[],
    timeUs: number,
  ): {
    readonly refusals: readonly Refusal[]
    readonly counts: Pick<Position, 'dropped' | 'refused'>
  } {
    const dropped = Math.max(position.dropped, readDropped(dir))
    const found = readRefused(dir)
    const before = position.refused ?? 0
    const refused = Math.max(before, found?.lines ?? 0)
    const lost = { reason: bufferFull, lines: dropped - position.dropped, time_us: timeUs }
    const fast = { reason: tooManyBytes, lines: refused - before, time_us: timeUs }
    return {
      refusals: addRefusal(addRefusal(refusals, { ...lost, line: () => '' }), {
        ...fast,
        line: () => found?.example ?? '',
      }),
      counts: { dropped, refused },
    }
  }

  /** Append the samples before which everything is read. */
  function follow(): void {
    for (const follower of followers) {
      if (position.end < follower.end) continue
      followers.delete(follower)
      const now = nowUs()
      // Whoever waits for the sample counts the lost lines when it arrives.
      const { refusals, counts } = addLost(position.refusals ?? [], now)
      const { samples, left } = tellRefusals(refusals, { source, nowUs: now, all: true })
      const next = { ...position, ...counts, refusals: [...left] }
      const marks = { ...follower.marks, [markKey]: next }
      const taken = spool.append([...samples, follower.sample], { marks, whenFull: 'refuse' })
      if (taken) {
        position = next
        isSaved = true
      }
      follower.resolve(taken)
    }
  }

  /** Report lines that became no samples. */
  function tell(): Turn {
    const now = nowUs()
    const { refusals, counts } = addLost(position.refusals ?? [], now)
    const { samples, left } = tellRefusals(refusals, { source, nowUs: now, all: isLast })
    if (samples.length > 0) {
      if (!take(samples, { ...position, ...counts, refusals: [...left] })) return 'full'
    }
    return left.some(({ lines }) => lines > 0) ? 'done for a second' : 'done'
  }

  /** Report a line that was never completed. */
  function refuseRest(): void {
    const rest = Buffer.from(position.rest, 'base64')
    const line = wasCut ? textOf(rest).replace(/\0$/u, '') : textOf(rest)
    if (line === '') return
    const now = nowUs()
    const refused = {
      reason: wasCut ? lostPower : 'the line has no end',
      run: runOfLine(line),
      lines: 1,
      line: () => line,
      time_us: now,
    }
    const { samples } = tellRefusals(addRefusal([], refused), { source, nowUs: now, all: true })
    take(samples, { ...position, rest: '' })
  }

  /** Remove the segments before the current one, after what was read from them is synced. */
  async function removeRead(): Promise<void> {
    if (!hasRead) return
    const read = listStarts(dir).filter((start) => start < position.segment)
    if (read.length > 0 && !save()) return
    hasRead = false
    if (read.length === 0) return
    await spool.sync()
    for (const start of read) {
      // Remove the data last, because segments are found by their data files.
      rmSync(indexPath(dir, start), { force: true })
      rmSync(dataPath(dir, start), { force: true })
    }
  }

  async function turn(): Promise<Turn> {
    const stepped = step()
    follow()
    if (stepped === 'more' || stepped === 'full') return stepped
    // A program that never rests is told of its lost lines, too.
    const nowMs = performance.now()
    if (stepped === 'some' && nowMs - toldMs < tellEveryMs) return stepped
    toldMs = nowMs
    const outcome = tell()
    await removeRead()
    return stepped ?? outcome
  }

  return {
    turn,
    appendAfter(sample, marks) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      followers.add({ end: findEnd(dir), sample, marks, resolve })
      return promise
    },
    letGo() {
      for (const { resolve } of followers) resolve(false)
      followers.clear()
    },
    async drainLast() {
      isLast = true
      while (/more|some/u.test(await turn())) await new Promise((resolve) => setImmediate(resolve))
      refuseRest()
      save()
    },
  }
}

/**
 * Break off a line, because the bytes after it are not there. What comes next may begin within another line, and must not be read as the end of this one, nor as a line: with a zero
 * in it, it becomes no sample ({@link lostPower}).
 */
function breakLine(rest: Uint8Array): Uint8Array {
  return Buffer.concat([rest.subarray(0, maxLineBytes - 1), Buffer.from([0])])
}

/** Add that bytes are not there that had been caught. Nobody knows how many lines they were. */
function addLostBytes(
  refusals: readonly Refusal[],
  bytes: number,
  timeUs: number,
): readonly Refusal[] {
  if (bytes <= 0) return refusals
  const reason = `${bytes} bytes of lines were not on the node's disk when it lost its power; they count as one line`
  return addRefusal(refusals, { reason, run: null, lines: 1, line: () => '', time_us: timeUs })
}

/** A sample that follows what was in the files at one time. */
interface Follower {
  /** The end of the stream then. */
  readonly end: number
  readonly sample: Sample
  readonly marks: Readonly<Record<string, unknown>>
  readonly resolve: (taken: boolean) => void
}

const tooManyBytes =
  'more bytes a second than a sliver may write; write fewer lines, or shorter ones'

function findPosition({ spool, dir, markKey, source, onProblem }: StreamReaderOptions): Position {
  const found = parsePosition(spool.mark(markKey))
  if (found !== null) return found
  const reason = 'how far they were read is not known, so some may be there twice'
  onProblem?.(new LabError('LAB_AGENT_CATCHER_FAILED', { sliver: source, reason }))
  return positionAt(listStarts(dir)[0] ?? 0, readDropped(dir))
}
