import { maxLineBytes, runOfLine } from '@community-lab/contract'
import type { IndexEntry } from '../domain/catcher-index.ts'
import {
  asciiOf,
  countLines,
  splitLines,
  textOf,
  toSample,
  toSampleOfText,
  type LineContext,
  type ReadSample,
} from '../domain/line-samples.ts'
import { refill, type Allowance, type Rate } from '../domain/rate.ts'
import { addRefusal, type Refusal } from '../domain/refusals.ts'
import type { Sample } from '../sample.ts'

/** The result of reading bytes of a stream. */
export interface Intake {
  readonly samples: readonly Sample[]
  readonly refusals: readonly Refusal[]
  readonly allowance: Allowance | null
  /** The beginning of an incomplete line. */
  readonly rest: Uint8Array
  /** The number of bytes that were read. */
  readonly bytesRead: number
  /** The number of entries that were read completely. */
  readonly entriesRead: number
}

/** Options of {@link takeIn}. */
export interface IntakeOptions extends LineContext {
  readonly rate: Rate
  /** The most lines to read. Later lines are left for the next call. */
  readonly maxLines: number
}

/**
 * Make samples from the bytes that the entries describe; the first ones begin at `from`. Lines beyond the rate are refused and only counted, which costs next to nothing.
 */
export function takeIn(
  before: Pick<Intake, 'refusals' | 'allowance' | 'rest'>,
  stream: {
    readonly entries: readonly IndexEntry[]
    readonly bytes: Uint8Array
    readonly from: number
  },
  { rate, maxLines, ...context }: IntakeOptions,
): Intake {
  const samples: Sample[] = []
  let { refusals, allowance, rest } = before
  let linesLeft = maxLines
  let at = 0
  let entriesRead = 0
  const ascii = asciiOf(stream.bytes)

  function take(read: ReadSample, timeUs: number, line: () => Uint8Array): void {
    linesLeft--
    if (read.sample !== null) {
      samples.push(read.sample)
      return
    }
    // Decoded anew: a part of a long text would keep all of it in memory.
    const text = textOf(line())
    const refused = { reason: read.reason, run: runOfLine(text), lines: 1, time_us: timeUs }
    refusals = addRefusal(refusals, { ...refused, line: () => text })
  }

  /** Read lines, at most so many, from `at` to before `until`. Returns the number of bytes that were read. */
  function readLines(until: number, timeUs: number, most: number): number {
    let read = 0
    let from = at
    if (ascii !== null && rest.length === 0)
      for (; read < most;) {
        const end = ascii.indexOf('\n', from)
        // What is not a whole line, or is too long, is split as bytes.
        if (end < 0 || end >= until || end - from >= maxLineBytes) break
        if (end > from) {
          const [first, after] = [from, end]
          const text = ascii.slice(first, after)
          take(toSampleOfText(text, context, timeUs), timeUs, () =>
            stream.bytes.subarray(first, after),
          )
          read++
        }
        from = end + 1
      }
    if (read >= most || from >= until) return from - at
    const left = stream.bytes.subarray(from, until)
    const split = splitLines(rest, left, rest.length > 0 ? 1 : most - read)
    for (const line of split.lines) take(toSample(line, context, timeUs), timeUs, () => line)
    rest = split.rest
    return from + split.bytesRead - at
  }

  function refuseLines(chunk: Uint8Array, timeUs: number): number {
    const counted = countLines(rest, chunk)
    // Whose lines these are is not looked at: all programs of the sliver share the rate.
    refusals = addRefusal(refusals, {
      ...{ reason: tooFast(rate), run: null, lines: counted.lines },
      ...{ line: () => textOf(counted.example), time_us: timeUs },
    })
    rest = counted.rest
    return chunk.length
  }

  for (const { end, timeUs } of stream.entries) {
    const until = end - stream.from
    allowance = refill(allowance, rate, timeUs)
    while (at < until && linesLeft > 0) {
      const chunk = stream.bytes.subarray(at, until)
      if (chunk.length === 0) break
      const allowed = Math.floor(allowance.left)
      const linesBefore = linesLeft
      at +=
        allowed > 0
          ? readLines(at + chunk.length, timeUs, Math.min(linesLeft, allowed))
          : refuseLines(chunk, timeUs)
      allowance = { ...allowance, left: allowance.left - (linesBefore - linesLeft) }
    }
    if (at < until && linesLeft <= 0) break
    // Bytes that are in the index and not in the file are lost.
    at = until
    entriesRead++
  }
  return { samples, refusals, allowance, rest, bytesRead: at, entriesRead }
}

function tooFast({ perSecond, burst }: Rate): string {
  return `more than ${perSecond} lines a second, after the first ${burst}; write fewer, with several fields in each`
}
