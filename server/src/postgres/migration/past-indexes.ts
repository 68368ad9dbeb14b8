import { sql, type Kysely } from 'kysely'

/**
 * Indexes for the past: what lasted until after a time, without reading what ended before; and the lives of slivers by each name, and within a period. An open end
 * is infinity.
 */
export async function addPastIndexes(db: Kysely<unknown>): Promise<void> {
  const ended = sql`(coalesce(ended_on, 'infinity'::timestamptz))`
  const statements = [
    sql`drop index node_states_time`,
    sql`create index node_states_time on node_states (node_id, ${ended})`,
    sql`drop index sliver_states_time`,
    sql`create index sliver_states_time on sliver_states (slice_id, node_id, ${ended})`,
    sql`create index journal_slice_name on journal (slice_name, id)`,
    sql`create index journal_node_name on journal (node_name, id)`,
    sql`create index journal_group on journal (group_id, id)`,
    sql`create index journal_group_name on journal (group_name, id)`,
    // Both ends belong to it, so that a life without length is within a period, too.
    sql`create index journal_period on journal using gist (
      tstzrange(began_on, case when ended_on < began_on then began_on else ended_on end, '[]'))`,
  ]
  for (const statement of statements) await statement.execute(db)
}
