import type { ProcessIdentity } from '../host/process.ts'
import type { UnreadableRecord } from '../store/records.ts'

/** The folder of a sliver whose record cannot be read, and what else is known of the sliver. */
export interface UnreadableFolder {
  readonly id: string
  readonly record: UnreadableRecord
  /** Its number, as far as anything tells; nobody else gets it. */
  readonly nr: number | null
  readonly process: ProcessIdentity | null
}
