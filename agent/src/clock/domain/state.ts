import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The clock of the node in one boot, as it is kept in the spool. Version 1. Times in microseconds. */
export const ClockState = Type.Object({
  version: Type.Literal(1),
  /** The id of the host's boot. */
  boot: Type.String(),
  /** What to add to the monotonic clock to get the steady clock, which is the time of samples. */
  baseUs: Type.Number(),
  /** It is raised when what was known of the clock is known no more. */
  epoch: Type.Integer(),
  /** The last comparison of the wall clock with the monotonic clock. */
  wall: Type.Object({ atUs: Type.Number(), lowUs: Type.Number(), highUs: Type.Number() }),
})
export type ClockState = Static<typeof ClockState>

/** Read a state; null when there is none that this agent can read. */
export function parseClockState(value: unknown): ClockState | null {
  return Value.Check(ClockState, value) ? value : null
}
