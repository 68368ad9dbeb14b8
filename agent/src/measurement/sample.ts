import { FieldValue, type SampleRecord } from '@community-lab/contract'
import Type from 'typebox'

/** A sample before the spool has given it a seq. */
export type Sample = Omit<SampleRecord, 'seq'>

/** The schema of a {@link Sample}, with which the spool is read. */
export const SampleShape = Type.Object({
  time_us: Type.Integer(),
  source: Type.String(),
  name: Type.String(),
  fields: Type.Record(Type.String(), FieldValue),
})

/** The `source` of the node's own samples. */
export const nodeSource = 'node'

let readClockUs = (): number => Date.now() * 1000

/**
 * The clock of samples: microseconds since the epoch. It is the node's steady clock, see `NodeClock`; before that is open, the wall clock in steps of a
 * millisecond.
 */
export function nowUs(): number {
  return readClockUs()
}

/** Set the clock of samples. A process has one. It must return whole microseconds. */
export function setSampleClock(read: () => number): void {
  readClockUs = read
}
