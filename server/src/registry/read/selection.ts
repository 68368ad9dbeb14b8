import type { Kysely } from 'kysely'
import type { Tables } from '../../postgres/tables.ts'

/** What objects are shown with that no table holds. */
export interface Surroundings {
  readonly mgmtPrefix: string
  /** When a node was last heard of, in milliseconds since the epoch, as far as it is newer than the database knows. */
  lastSeenMs(nodeId: number): number | null
}

/** Which objects of a kind; what is not given is not asked for. */
export interface Selection {
  readonly ids?: readonly number[]
  readonly names?: readonly string[]
}

/** Which slivers. */
export interface SliverSelection {
  /** Exactly these, `slice@node`. */
  readonly ids?: readonly string[]
  readonly sliceIds?: readonly number[]
  readonly nodeIds?: readonly number[]
}

/** A database or a transaction on it. */
export type Db = Kysely<Tables>
