import { sql, type Kysely } from 'kysely'

/** Add templates of groups. The existing ones become the operators' and public. */
export async function addGroupTemplates(db: Kysely<unknown>): Promise<void> {
  await sql`alter table templates
    add column group_id integer references groups (id),
    add column is_public boolean not null default true`.execute(db)
  await sql`create index templates_group on templates (group_id)`.execute(db)
}
