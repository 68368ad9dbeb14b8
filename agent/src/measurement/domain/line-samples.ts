import {
  maxLineBytes,
  parseLine,
  runEndMeasurement,
  runFileMeasurement,
  runFilePartMeasurement,
  runOutputMeasurement,
  type SampleRecord,
} from '@community-lab/contract'
import type { LineChecks } from './line-checks.ts'

type Sample = Omit<SampleRecord, 'seq'>

/** The complete lines of some bytes, and the rest. */
export interface SplitLines {
  /** The lines that are not empty, without newline, cut to {@link maxLineBytes}. */
  readonly lines: readonly Uint8Array[]
  /** The beginning of an incomplete line, cut to {@link maxLineBytes}. */
  readonly rest: Uint8Array
  /** The number of bytes that were read: all, unless there are more lines than requested. */
  readonly bytesRead: number
}

/** Lines that were counted but not parsed. */
export interface CountedLines {
  /** The number of lines that are not empty. */
  readonly lines: number
  /** The first of them; empty when there is none. */
  readonly example: Uint8Array
  readonly rest: Uint8Array
}

const newline = 0x0a
const none = new Uint8Array()
const decoder = new TextDecoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true })
/** The character that a decoder writes for bytes that are not UTF-8. */
const replacement = '\uFFFD'

/**
 * Split bytes at newlines, until there are `most` lines that are not empty. Of a line that is too long, one byte more than allowed is kept, which shows that it
 * is too long.
 */
export function splitLines(rest: Uint8Array, bytes: Uint8Array, most = Infinity): SplitLines {
  const lines: Uint8Array[] = []
  let begun = rest
  let at = 0
  while (lines.length < most) {
    if (begun.length === 0 && bytes[at] === newline) {
      at++
      continue
    }
    const end = bytes.indexOf(newline, at)
    const kept = join(begun, bytes.subarray(at, end < 0 ? bytes.length : end))
    if (end < 0) return { lines, rest: kept, bytesRead: bytes.length }
    lines.push(kept)
    begun = none
    at = end + 1
  }
  return { lines, rest: begun, bytesRead: at }
}

/** Count lines without reading them. */
export function countLines(rest: Uint8Array, bytes: Uint8Array): CountedLines {
  let lines = 0
  let last = -1
  for (let at = 0; at < bytes.length; at++)
    if (bytes[at] === newline) {
      const isEmpty = at === last + 1 && (last >= 0 || rest.length === 0)
      if (!isEmpty) lines++
      last = at
    }
  if (last < 0) return { lines, example: none, rest: join(rest, bytes) }
  const [example = none] = splitLines(rest, bytes, 1).lines
  return { lines, example, rest: join(none, bytes.subarray(last + 1)) }
}

/** The measurements that the agent writes of runs. */
const ofRuns: ReadonlySet<string> = new Set([
  runOutputMeasurement,
  runEndMeasurement,
  runFileMeasurement,
  runFilePartMeasurement,
])

/** What a line is read with. */
export interface LineContext {
  /** The sliver whose program wrote it. */
  readonly source: string
  /** What runs have declared. */
  readonly checks?: Pick<LineChecks, 'check'>
  /** Whether the node has lost its power since the line was written. Then zeros may be where a part of it was that was not on the disk. */
  readonly wasCut?: boolean
}

/** The reason of lines of which a part was not on the disk when the node lost its power. */
export const lostPower = 'not whole: the node lost its power before the line was on its disk'

/** The sample of a line, or why it is none. */
export type ReadSample =
  { readonly sample: Sample } | { readonly sample: null; readonly reason: string }

/** Make a sample from a line, or return why it is not valid. */
export function toSample(line: Uint8Array, context: LineContext, timeUs: number): ReadSample {
  if (line.length >= maxLineBytes)
    return { sample: null, reason: `longer than ${maxLineBytes} bytes; cut off there` }
  const text = decoder.decode(line)
  if (text.includes(replacement) && !isUtf8(line))
    return { sample: null, reason: 'it is not UTF-8' }
  return toSampleOfText(text, context, timeUs)
}

/** Make a sample from the text of a line that is not too long. */
export function toSampleOfText(
  text: string,
  { source, checks, wasCut }: LineContext,
  timeUs: number,
): ReadSample {
  if (wasCut === true && text.includes('\0')) return { sample: null, reason: lostPower }
  const parsed = parseLine(text)
  if (!parsed.ok) return { sample: null, reason: parsed.reason }
  const { name, fields } = parsed
  // A row of a program would be read as a part of what a run has written, or as its end.
  if (ofRuns.has(name)) return { sample: null, reason: `measurement name ${name} is reserved` }
  const misfit = checks?.check(source, parsed) ?? null
  if (misfit !== null) return { sample: null, reason: misfit }
  return { sample: { time_us: timeUs, source, name, fields } }
}

/** Decode bytes that are ASCII alone, so that each character is a byte; null when they are not. Decoding many lines at once takes less than each of them. */
export function asciiOf(bytes: Uint8Array): string | null {
  const text = decoder.decode(bytes)
  // Other characters take more bytes, and a byte that is not UTF-8 becomes one replacement.
  return text.length === bytes.length && !text.includes(replacement) ? text : null
}

function isUtf8(line: Uint8Array): boolean {
  try {
    strictDecoder.decode(line)
    return true
  } catch {
    return false
  }
}

/** Decode a refused line, to show it to its author. */
export function textOf(line: Uint8Array): string {
  return decoder.decode(line)
}

/** Join two parts of a line. At most {@link maxLineBytes} of it are kept. */
function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const more = second.subarray(0, Math.max(0, maxLineBytes - first.length))
  if (first.length === 0) return more
  const joined = new Uint8Array(first.length + more.length)
  joined.set(first)
  joined.set(more, first.length)
  return joined
}
