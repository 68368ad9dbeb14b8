import { sql, type Kysely } from 'kysely'

/** One-time secrets also confirm an e-mail address: then `email` is the address that becomes the user's. */
export async function addAddressSecrets(db: Kysely<unknown>): Promise<void> {
  await sql`alter table invitations add column email text`.execute(db)
}
