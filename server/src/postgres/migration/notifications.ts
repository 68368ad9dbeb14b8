import { sql, type Kysely } from 'kysely'

/** Add notifications: what each user does not want, and what each was told that is still true. */
export async function addNotifications(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table users
      add column muted text[] not null default '{}',
      add column unsubscribe_key text,
      add column digest_day integer`,
    sql`create table notified (
      user_id integer not null references users (id) on delete cascade,
      fact text not null,
      told_on timestamptz not null,
      primary key (user_id, fact))`,
    sql`insert into counters (name, value) values ('digest', 0)`,
  ]
  for (const statement of statements) await statement.execute(db)
}
