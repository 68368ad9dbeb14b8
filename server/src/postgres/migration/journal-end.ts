import { sql, type Kysely } from 'kysely'

/**
 * The records of a sliver that is removed while its node is offline end at the node's last contact: nothing is known of what came after it. Until then they
 * ended at the removal, which may come weeks after a power cut.
 */
export async function endRecordsAtContact(db: Kysely<unknown>): Promise<void> {
  await sql`create or replace function end_sliver_records() returns trigger language plpgsql as $$
    declare until timestamptz;
    begin
      select least(last_seen_on, clock_timestamp()) into until from nodes
        where id = old.node_id and state = 'offline';
      until := coalesce(until, clock_timestamp());
      update sliver_states set ended_on = greatest(began_on, until)
        where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
      update journal set ended_on = greatest(began_on, until)
        where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
      return null;
    end $$`.execute(db)
}
