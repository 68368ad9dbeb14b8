import { rmSync } from 'node:fs'
import { LabError, runEndMeasurement } from '@community-lab/contract'
import { indexEntryBytes } from '../domain/catcher-index.ts'
import { textOf } from '../domain/line-samples.ts'
import type { Rate } from '../domain/rate.ts'
import { addRefusal, bufferFull, tellRefusals, type Refusal } from '../domain/refusals.ts'
import { nowUs, type Sample } from '../sample.ts'
import type { Spool } from '../spool/spool.ts'
import { takeIn } from './line-intake.ts'
import { moveTo, parsePosition, positionAt, type Position } from './position.ts'
import {
  coverUnindexed,
  dataPath,
  indexPath,
  listStarts,
  readBytes,
  readDropped,
  readEntries,
  readRefused,
} from './stream-files.ts'

/** Options of {@link createStreamReader}. */
export interface StreamReaderOptions {
  readonly spool: Spool
  /** The stream's folder. */
  readonly dir: string
  /** The key of its mark in the spool: another one for each stream. */
  readonly markKey: string
  /** The `source` of its samples. */
  readonly source: string
  /** How many samples a second; default {@link defaultSampleRate}. */
  readonly rate?: Rate
  /** Told when it cannot be known how far the stream was read. */
  readonly onProblem?: (error: unknown) => void
}

/** The result of a turn of a reader. */
export type Turn =
  /** There is more to read now. */
  | 'more'
  /** The spool takes no more: try again when it has been trimmed. */
  | 'full'
  /** All is read. */
  | 'done'
  /** All is read, and something is to be told a second from now. */
  | 'done for a second'

/** Reads what a catcher has caught into the spool, each line exactly once. Its calls must not overlap. */
export interface StreamReader {
  /** Read a bounded part of what there is. */
  turn(): Promise<Turn>
  /** Read all there is, for the last time: what a full spool cannot take is counted as dropped. */
  drainLast(): Promise<void>
}

/**
 * How many samples one sliver may make: a program that measures each packet of a fast link for ten seconds may, one that writes without end costs its node no
 * more than a few percent of a core.
 */
export const defaultSampleRate: Rate = { perSecond: 5_000, burst: 50_000 }

/** The most bytes and the most lines that one turn reads, so that a turn takes milliseconds. */
const turnBytes = 256 * 1024
const turnLines = 500

/** Make the reader of one catcher's folder. */
export function createStreamReader(options: StreamReaderOptions): StreamReader {
  const { spool, dir, markKey, source, rate = defaultSampleRate } = options
  let position = findPosition(options)
  /** Whether the spool has the position. A position after lines without samples can be saved later: without it, these lines are only read again. */
  let isSaved = true
  let isLast = false

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

  /** Let the spool know of the position. */
  function save(): boolean {
    isSaved ||= spool.append([], { marks: { [markKey]: position } })
    return isSaved
  }

  /** Read the next lines, or move on to the next segment; null when there is nothing to read now. */
  function step(): Turn | null {
    // Listed first: a segment that another one follows is not written any more.
    const starts = listStarts(dir)
    const following = starts.find((start) => start > position.segment)
    const isWritten = following === undefined && !isLast
    const indexed = readEntries(dir, position, turnBytes)
    const entries =
      indexed.length > 0 || isWritten ? indexed : coverUnindexed(dir, position, turnBytes)
    const last = entries.at(-1)
    if (last === undefined) {
      if (following === undefined) return null
      position = { ...position, segment: following, indexBytes: 0, end: following }
      isSaved = false
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
      { source, rate, maxLines: turnLines },
    )
    const place = {
      segment: position.segment,
      indexBytes: position.indexBytes + Math.min(entriesRead, indexed.length) * indexEntryBytes,
      end: position.end + bytesRead,
    }
    // Whoever waits for a run's end counts its refused lines as soon as the end has come. So all refused lines are told before the end.
    const end = samples.find(({ name }) => name === runEndMeasurement)
    const lost = end === undefined ? null : addLost(refusals, end.time_us)
    const told = tellRefusals(lost?.refusals ?? refusals, {
      source,
      nowUs: last.timeUs,
      all: end !== undefined,
    })
    const next = { ...moveTo(position, place, rest), ...lost?.counts, refusals: [...told.left] }
    const all = end === undefined ? [...samples, ...told.samples] : [...told.samples, ...samples]
    return take(all, allowance === null ? next : { ...next, allowance }) ? 'more' : 'full'
  }

  /** Add the lines that the catcher has lost or refused since it was looked at last. */
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

  /** Tell of lines that became no samples. */
  function tell(): Turn {
    const now = nowUs()
    const { refusals, counts } = addLost(position.refusals ?? [], now)
    const { samples, left } = tellRefusals(refusals, { source, nowUs: now, all: isLast })
    if (samples.length > 0) {
      if (!take(samples, { ...position, ...counts, refusals: [...left] })) return 'full'
    }
    return left.some(({ lines }) => lines > 0) ? 'done for a second' : 'done'
  }

  /** Tell of a line whose end never came. */
  function refuseRest(): void {
    const rest = Buffer.from(position.rest, 'base64')
    if (rest.length === 0) return
    const now = nowUs()
    const refused = {
      reason: 'the line has no end',
      lines: 1,
      line: () => textOf(rest),
      time_us: now,
    }
    const { samples } = tellRefusals(addRefusal([], refused), { source, nowUs: now, all: true })
    take(samples, { ...position, rest: '' })
  }

  /** Remove the segments before the one being read, once what was read of them is safe. */
  async function removeRead(): Promise<void> {
    const read = listStarts(dir).filter((start) => start < position.segment)
    if (read.length === 0 || !save()) return
    await spool.sync()
    for (const start of read) {
      // The data goes last, for segments are found by it.
      rmSync(indexPath(dir, start), { force: true })
      rmSync(dataPath(dir, start), { force: true })
    }
  }

  async function turn(): Promise<Turn> {
    const stepped = step()
    if (stepped !== null) return stepped
    const told = tell()
    await removeRead()
    return told
  }

  return {
    turn,
    async drainLast() {
      isLast = true
      while ((await turn()) === 'more') await new Promise((resolve) => setImmediate(resolve))
      refuseRest()
      save()
    },
  }
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
