import { sql, type Kysely } from 'kysely'

/** A user has at most one invitation, by which they set a password. A new one takes the place of the one before. */
export async function addInvitations(db: Kysely<unknown>): Promise<void> {
  await sql`create table invitations (
    user_id integer primary key references users (id) on delete cascade,
    secret_sha256 bytea not null unique,
    expires_on timestamptz not null)`.execute(db)
}
