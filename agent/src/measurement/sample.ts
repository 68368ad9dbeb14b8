import { FieldValue, type SampleRecord } from '@community-lab/contract'
import Type from 'typebox'

/** A sample before the spool has numbered it. */
export type Sample = Omit<SampleRecord, 'seq'>

/** The shape of a {@link Sample}, as the spool writes and reads it. */
export const SampleShape = Type.Object({
  time_us: Type.Integer(),
  source: Type.String(),
  name: Type.String(),
  fields: Type.Record(Type.String(), FieldValue),
})

/** The `source` of the node's own samples. */
export const nodeSource = 'node'

/** The clock of samples: microseconds since the epoch, in steps of a millisecond. */
export function nowUs(): number {
  return Date.now() * 1000
}
