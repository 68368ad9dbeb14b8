import { sql, type Kysely } from 'kysely'

/**
 * One-time secrets by which users set a password: an operator's invitation, and resets that a user asked for. There may be several, so that who asks for another's
 * reset makes no secret invalid that the user has got.
 */
export async function addPasswordResets(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table invitations drop constraint invitations_pkey`,
    sql`alter table invitations
      add column id bigint generated always as identity primary key,
      add column kind text not null default 'invitation'`,
    sql`create index invitations_user on invitations (user_id)`,
  ]
  for (const statement of statements) await statement.execute(db)
}
