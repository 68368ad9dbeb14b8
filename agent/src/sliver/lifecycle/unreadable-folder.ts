import type { ProcessIdentity } from '../host/process.ts'
import type { Limits } from '../domain/limits.ts'
import type { UnreadableRecord } from '../store/records.ts'

/** The folder of a sliver whose record cannot be read, and what else is known of the sliver. */
export interface UnreadableFolder {
  readonly id: string
  readonly record: UnreadableRecord
  /** Its number, as far as anything tells; nobody else gets it. */
  readonly nr: number | null
  readonly process: ProcessIdentity | null
  /** What it may use. It counts as promised, because the sliver may run, or run again when its record is mended. */
  readonly limits: Limits
}
