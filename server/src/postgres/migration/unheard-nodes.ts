import { sql, type Kysely } from 'kysely'

/**
 * Nodes of which nothing has been heard since a contact (they were offline, or no server ran) have its time in `unheard_since`, until they report or say that
 * their last report still holds. The records of a sliver that is removed meanwhile end at that contact, also before the server has noticed that the node is away.
 */
export async function addUnheardNodes(db: Kysely<unknown>): Promise<void> {
  await sql`alter table nodes add column unheard_since timestamptz`.execute(db)
  await sql`create or replace function end_sliver_records() returns trigger language plpgsql as $$
    declare until timestamptz;
    begin
      select least(
        coalesce(unheard_since, case when state = 'offline' then last_seen_on end),
        clock_timestamp()) into until from nodes where id = old.node_id;
      until := coalesce(until, clock_timestamp());
      update sliver_states set ended_on = greatest(began_on, until)
        where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
      update journal set ended_on = greatest(began_on, until)
        where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
      return null;
    end $$`.execute(db)
}
