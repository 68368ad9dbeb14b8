import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { Refusal } from '../domain/refusals.ts'
import type { StreamPlace } from './stream-files.ts'

/**
 * How far a stream has been read into the spool. It is kept as a mark of the spool, in one frame with the samples that were read. Members may be added, and
 * must then be optional: an older agent reads the ones that it knows.
 */
const Position = Type.Object({
  segment: Type.Integer(),
  indexBytes: Type.Integer(),
  end: Type.Integer(),
  /** The beginning of a line whose end has not come yet, base64. */
  rest: Type.String(),
  /** How many dropped lines have been taken note of. */
  dropped: Type.Integer(),
  /** How many lines that came too fast for the catcher have been taken note of. */
  refused: Type.Optional(Type.Integer()),
  /** How many samples may come at once. */
  allowance: Type.Optional(Type.Object({ left: Type.Number(), atUs: Type.Integer() })),
  /** What is to be told of lines that became no samples. */
  refusals: Type.Optional(Type.Array(Refusal)),
})
export type Position = Static<typeof Position>

/** Where a stream begins. */
const beginning: Position = { segment: 0, indexBytes: 0, end: 0, rest: '', dropped: 0 }

/** Read a mark; null when it is not of this form. A stream without a mark has not been read yet. */
export function parsePosition(mark: unknown): Position | null {
  if (mark === undefined) return beginning
  return Value.Check(Position, mark) ? mark : null
}

/** The position at the beginning of a segment. */
export function positionAt(segment: number, dropped: number): Position {
  return { ...beginning, segment, end: segment, dropped }
}

/** Move on to a place. */
export function moveTo(position: Position, place: StreamPlace, rest: Uint8Array): Position {
  return { ...position, ...place, rest: Buffer.from(rest).toString('base64') }
}
