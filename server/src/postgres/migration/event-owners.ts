import { sql, type Kysely } from 'kysely'

/** Events of requests are for those who may read the request, also when it is gone. */
export async function addEventOwners(db: Kysely<unknown>): Promise<void> {
  await sql`alter table events add column owner jsonb`.execute(db)
}
