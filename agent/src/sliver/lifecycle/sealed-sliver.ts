import type { ProcessIdentity } from '../host/process.ts'
import type { UnreadableRecord } from '../store/records.ts'

/** A sliver whose record cannot be read, and what else is known of it. */
export interface SealedSliver {
  readonly id: string
  readonly record: UnreadableRecord
  /** Its number, as far as anything tells; nobody else gets it. */
  readonly nr: number | null
  readonly process: ProcessIdentity | null
}
