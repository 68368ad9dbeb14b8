import {
  maxLineBytes,
  parseLine,
  rejectedMeasurement,
  type SampleRecord,
} from '@community-lab/contract'

type Sample = Omit<SampleRecord, 'seq'>

/** Lines that have come to their end, and the beginning of the next one. */
export interface SplitLines {
  readonly lines: readonly Uint8Array[]
  readonly rest: Uint8Array
}

const newline = 0x0a
const decoder = new TextDecoder()

/** Split bytes at newlines. What is beyond the longest line is not kept, but one byte of it is, which tells that there was more. */
export function splitLines(rest: Uint8Array, bytes: Uint8Array): SplitLines {
  const lines: Uint8Array[] = []
  let begun = rest
  for (let at = 0; ;) {
    const end = bytes.indexOf(newline, at)
    const part = bytes.subarray(at, end < 0 ? bytes.length : end)
    const line = begun.length === 0 ? part : join(begun, part)
    const kept = line.subarray(0, maxLineBytes)
    if (end < 0) return { lines, rest: kept }
    lines.push(kept)
    begun = new Uint8Array()
    at = end + 1
  }
}

/** Make a sample of a line; of one that cannot be read, a sample of `rejected` with the line and the reason. */
export function toSample(line: Uint8Array, source: string, timeUs: number): Sample {
  const text = decoder.decode(line)
  const parsed = parseLine(text)
  const common = { time_us: timeUs, source }
  if (line.length >= maxLineBytes)
    return rejected(common, text, `longer than ${maxLineBytes} bytes; cut off there`)
  if (!parsed.ok) return rejected(common, text, parsed.reason)
  return { ...common, name: parsed.name, fields: { ...parsed.fields } }
}

function rejected(
  common: { time_us: number; source: string },
  line: string,
  reason: string,
): Sample {
  return { ...common, name: rejectedMeasurement, fields: { line, reason } }
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
