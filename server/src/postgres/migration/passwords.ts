import { sql, type Kysely } from 'kysely'

/** Users get a password and an e-mail address; tokens know how they were made, and some end when nobody uses them. */
export async function addPasswords(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table users add column email text, add column password text`,
    // Mail servers may tell upper from lower case, but people do not.
    sql`create unique index users_email on users (lower(email))`,
    sql`alter table tokens
      add column kind text not null default 'personal',
      add column made_from text,
      add column idle_s integer`,
    sql`update tokens set kind = 'node' where role = 'node'`,
  ]
  for (const statement of statements) await statement.execute(db)
}
