import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { Refusal } from '../domain/refusals.ts'
import type { StreamPlace } from './stream-files.ts'

/**
 * The position up to which a stream was read into the spool. It is a mark of the spool, in one frame with the samples that were read. New members must be
 * optional: an older agent reads those that it knows.
 */
const Position = Type.Object({
  segment: Type.Integer(),
  indexBytes: Type.Integer(),
  end: Type.Integer(),
  /** The beginning of an incomplete line, base64. */
  rest: Type.String(),
  /** The number of dropped lines that were already counted here. */
  dropped: Type.Integer(),
  /** The number of lines refused by the catcher as too fast that were already counted here. */
  refused: Type.Optional(Type.Integer()),
  /** The number of samples that may come at once. */
  allowance: Type.Optional(Type.Object({ left: Type.Number(), atUs: Type.Integer() })),
  /** The lines that became no samples, for later reports. */
  refusals: Type.Optional(Type.Array(Refusal)),
})
export type Position = Static<typeof Position>

/** The position at the beginning of a stream. */
const beginning: Position = { segment: 0, indexBytes: 0, end: 0, rest: '', dropped: 0 }

/** Parse a mark; null when it has another format. A stream without a mark was not read yet. */
export function parsePosition(mark: unknown): Position | null {
  if (mark === undefined) return beginning
  return Value.Check(Position, mark) ? mark : null
}

/** Return the position at the beginning of a segment. */
export function positionAt(segment: number, dropped: number): Position {
  return { ...beginning, segment, end: segment, dropped }
}

/** Return the position moved to another place. */
export function moveTo(position: Position, place: StreamPlace, rest: Uint8Array): Position {
  return { ...position, ...place, rest: Buffer.from(rest).toString('base64') }
}
