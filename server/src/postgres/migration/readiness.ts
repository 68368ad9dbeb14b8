import { sql, type Kysely } from 'kysely'

/** Nodes know which slivers in a row they could not make. */
export async function addReadiness(db: Kysely<unknown>): Promise<void> {
  await sql`alter table nodes add column readiness jsonb not null
    default '{"failures":[],"since":null}'`.execute(db)
}
