import { sql, type Kysely } from 'kysely'

/** Slices know which warning of their end was given, and when. */
export async function addSliceWarnings(db: Kysely<unknown>): Promise<void> {
  await sql`alter table slices
    add column warned_days smallint,
    add column warned_on timestamptz`.execute(db)
  // The index finds the slices that end soon.
  await sql`create index slices_expiry on slices (expires_on)`.execute(db)
}
