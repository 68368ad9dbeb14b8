import type { Kysely } from 'kysely'
import type { Tables } from '../postgres/tables.ts'
import type { RunChange } from './change.ts'
import type { Readers } from './read/readers.ts'
import type { ServerRun } from './server-run.ts'

/** The registry's database, with the ways to read and to change its objects. */
export interface RegistryStore {
  readonly db: Kysely<Tables>
  readonly read: Readers
  readonly change: RunChange
  /** The present run of this server. */
  readonly run: ServerRun
}
