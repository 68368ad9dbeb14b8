import { sql, type Kysely } from 'kysely'

/**
 * The audit trail gets ids that do not run out, names of removed objects, numbers of slivers, and a retention of two years. A group that once had slices can be
 * removed: the owner of samples is then a group that is no more. Ids of groups are never used again.
 */
export async function addLastingAudit(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`alter table audit
      alter column id type bigint,
      add column object_name text,
      add column count integer not null default 1`,
    sql`create index audit_time on audit using brin (time)`,
    sql`drop trigger audit_is_kept on audit`,
    sql`create trigger audit_is_kept before update or truncate on audit
      for each statement execute function refuse_audit_change()`,
    sql`create trigger audit_is_kept_for_two_years before delete on audit
      for each row when (old.time > now() - interval '730 days')
      execute function refuse_audit_change()`,
    sql`alter table slice_owners drop constraint slice_owners_group_id_fkey`,
  ]
  for (const statement of statements) await statement.execute(db)
}
