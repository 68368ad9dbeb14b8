import {
  Hello,
  Look,
  maxBatchRecords,
  SampleRecord,
  TimeAsked,
  ShapeFrame,
  type ServerFrame,
} from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Unreadable } from '../telemetry/domain/placement.ts'

/**
 * An unreadable record, without its number. It is stored as a row of `rejected`, because a stream cannot continue after a record
 * that is refused.
 */
export type FaultyRecord = Unreadable

/** A frame of an agent: the members that the server relies on. */
export type StreamFrame =
  | Static<typeof Hello>
  | Look
  | TimeAsked
  | ShapeFrame
  | {
      readonly type: 'batch'
      readonly spool: string
      readonly records: readonly (SampleRecord | FaultyRecord)[]
    }

/** A frame, or why it is not valid. */
export type FrameReading =
  { readonly frame: StreamFrame } | { readonly frame: null; readonly reason: string }

const Numbered = Type.Object({
  seq: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
})
const Envelope = Type.Union([
  Hello,
  Look,
  TimeAsked,
  ShapeFrame,
  Type.Object({
    type: Type.Literal('batch'),
    spool: Type.String(),
    records: Type.Array(Numbered, { minItems: 1, maxItems: maxBatchRecords }),
  }),
])
const envelope = Compile(Envelope)
const sample = Compile(SampleRecord)
/** The most characters that are kept of an unreadable record. */
const keptCharacters = 400

/** Parse a frame of an agent. Never throws. */
export function readFrame(text: string): FrameReading {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The agent gets the error, and logs what it sent.
    return { frame: null, reason: 'not JSON' }
  }
  if (!envelope.Check(value)) return { frame: null, reason: firstError(envelope.Errors(value)) }
  if (value.type !== 'batch') return { frame: value }
  return { frame: { ...value, records: value.records.map(readRecord) } }
}

/** Write a frame for an agent. */
export function writeFrame(frame: ServerFrame): string {
  return JSON.stringify(frame)
}

/** Tell whether a record could not be read. */
export function isFaulty(record: SampleRecord | FaultyRecord): record is FaultyRecord {
  return 'fault' in record
}

function readRecord(record: Static<typeof Numbered>): SampleRecord | FaultyRecord {
  if (sample.Check(record)) return record
  // Each member is read separately, so that a record of a slice stays in the slice even when its time cannot be read.
  const members: Readonly<Record<string, unknown>> = record
  const { source, time_us: timeUs } = members
  // The reason may contain a name from the record, so it is cut.
  const reason = firstError(sample.Errors(record)).slice(0, keptCharacters)
  const fault = `the record cannot be read: ${reason}`
  const text = JSON.stringify(record).slice(0, keptCharacters)
  return {
    seq: record.seq,
    fault,
    text,
    source: typeof source === 'string' ? source : null,
    timeUs: typeof timeUs === 'number' && Number.isSafeInteger(timeUs) ? timeUs : null,
  }
}

function firstError([first]: readonly { instancePath: string; message: string }[]): string {
  return `${first?.instancePath ?? ''} ${first?.message ?? 'no frame'}`.trim()
}
