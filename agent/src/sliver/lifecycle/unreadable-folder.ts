import type { ProcessIdentity } from '../host/process.ts'
import type { Limits } from '../domain/limits.ts'
import type { UnreadableRecord } from '../store/records.ts'

/** The folder of a sliver whose record cannot be read, with the other known facts of the sliver. */
export interface UnreadableFolder {
  readonly id: string
  readonly record: UnreadableRecord
  /** Its number, if it is known. No other sliver gets it. */
  readonly nr: number | null
  readonly process: ProcessIdentity | null
  /** Its limits. They count as promised, because the sliver may run, or may run again after its record is repaired. */
  readonly limits: Limits
}
