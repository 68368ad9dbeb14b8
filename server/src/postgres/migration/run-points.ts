import { sql, type Kysely } from 'kysely'

/** Runs have points: the measurements that they declare. Those before had none. `json` keeps the order of fields, which is that of columns. */
export async function addRunPoints(db: Kysely<unknown>): Promise<void> {
  await sql`alter table runs add column points json not null default '[]'`.execute(db)
}
