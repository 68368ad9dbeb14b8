import type { Kysely } from 'kysely'
import type { Tables } from '../postgres/tables.ts'
import type { RunChange } from './change.ts'
import type { Readers } from './read/readers.ts'

/** The registry's database: how its objects are read, and how they are changed. */
export interface RegistryStore {
  readonly db: Kysely<Tables>
  readonly read: Readers
  readonly change: RunChange
}
