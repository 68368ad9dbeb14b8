import { sql, type Kysely } from 'kysely'

/** Add the outbox of e-mail. The text of a mail, which may contain a one-time secret, is there only until it was sent or given up. */
export async function addMails(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table mails (
      id bigint generated always as identity primary key,
      kind text not null,
      user_id integer references users (id) on delete cascade,
      recipient text not null,
      message_id text not null unique,
      subject text,
      body text,
      html text,
      unsubscribe_url text,
      created_on timestamptz not null,
      ends_on timestamptz not null,
      attempts integer not null default 0,
      next_try_on timestamptz,
      tried_on timestamptz,
      sent_on timestamptz,
      failed_on timestamptz,
      failure text)`,
    sql`create index mails_waiting on mails (next_try_on) where next_try_on is not null`,
    sql`create index mails_user on mails (user_id)`,
    sql`create index mails_created on mails (created_on)`,
  ]
  for (const statement of statements) await statement.execute(db)
}
