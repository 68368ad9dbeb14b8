import { sql } from 'kysely'
import type { World } from './world.ts'

/** Have the database refuse a statement for each row, such as `update on nodes`, or only for rows that fulfil a condition. */
export async function refuse(
  db: World['database']['db'],
  statement: `${'update' | 'delete'} on ${string}`,
  when = 'true',
): Promise<void> {
  await sql`create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'refused'; end $$`.execute(db)
  await sql`create trigger refuse before ${sql.raw(statement)}
    for each row when (${sql.raw(when)}) execute function refuse()`.execute(db)
}
