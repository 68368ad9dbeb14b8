import { sql, type Kysely } from 'kysely'

/** Slivers tell whether their data was changed since they were made, so that they are made again when a slice is to have it. */
export async function addChangedData(db: Kysely<unknown>): Promise<void> {
  await sql`alter table slivers add column data_changed boolean not null default false`.execute(db)
}
