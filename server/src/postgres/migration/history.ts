import { sql, type Kysely } from 'kysely'

/**
 * Add what the server knows over time: the states of nodes and slivers, the times at which a server ran, and the journal of slivers that ran. Triggers write
 * them, so that no change of a state is left out, whichever statement makes it. Rows of the journal have no foreign keys, because they outlive their objects.
 */
export async function addHistory(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table server_runs (
      id integer generated always as identity primary key,
      began_on timestamptz not null,
      up_until timestamptz not null)`,
    sql`create index server_runs_time on server_runs (up_until)`,
    sql`alter table nodes add column state_reason text`,
    sql`alter table slivers add column state_reason text`,
    sql`create table node_states (
      id bigint generated always as identity primary key,
      node_id integer not null references nodes (id) on delete cascade,
      state text not null,
      reason text,
      began_on timestamptz not null,
      ended_on timestamptz)`,
    sql`create unique index node_states_open on node_states (node_id) where ended_on is null`,
    sql`create index node_states_time on node_states (node_id, began_on)`,
    sql`create table sliver_states (
      id bigint generated always as identity primary key,
      slice_id integer not null references slices (id) on delete cascade,
      node_id integer not null references nodes (id) on delete cascade,
      state text not null,
      reason text,
      began_on timestamptz not null,
      ended_on timestamptz)`,
    sql`create unique index sliver_states_open on sliver_states (slice_id, node_id) where ended_on is null`,
    sql`create index sliver_states_time on sliver_states (slice_id, node_id, began_on)`,
    sql`create index sliver_states_node on sliver_states (node_id)`,
    sql`create table journal (
      id bigint generated always as identity primary key,
      slice_id integer not null,
      slice_name text not null,
      group_id integer not null,
      group_name text not null,
      node_id integer not null,
      node_name text not null,
      began_on timestamptz not null,
      ended_on timestamptz,
      started_on text)`,
    sql`create unique index journal_open on journal (slice_id, node_id) where ended_on is null`,
    sql`create index journal_node on journal (node_id, id)`,
    sql`create index journal_slice on journal (slice_id, id)`,
    sql`create index journal_time on journal (began_on)`,
    // An interval never ends before its begin, also after the clock was set back.
    sql`create function note_node_state() returns trigger language plpgsql as $$
      declare since timestamptz := coalesce(new.state_changed_on, clock_timestamp());
      begin
        if tg_op = 'UPDATE' then
          update node_states set ended_on = greatest(began_on, since)
            where node_id = new.id and ended_on is null returning ended_on into since;
          since := coalesce(since, new.state_changed_on, clock_timestamp());
        end if;
        insert into node_states (node_id, state, reason, began_on)
          values (new.id, new.state, new.state_reason, since);
        return null;
      end $$`,
    sql`create trigger node_is_made after insert on nodes
      for each row execute function note_node_state()`,
    sql`create trigger node_state_changes after update of state on nodes
      for each row when (old.state is distinct from new.state) execute function note_node_state()`,
    sql`create function note_sliver_state() returns trigger language plpgsql as $$
      declare since timestamptz := coalesce(new.state_changed_on, clock_timestamp());
      begin
        if tg_op = 'UPDATE' then
          update sliver_states set ended_on = greatest(began_on, since)
            where slice_id = new.slice_id and node_id = new.node_id and ended_on is null
            returning ended_on into since;
          since := coalesce(since, new.state_changed_on, clock_timestamp());
        end if;
        insert into sliver_states (slice_id, node_id, state, reason, began_on)
          values (new.slice_id, new.node_id, new.state, new.state_reason, since);
        return null;
      end $$`,
    sql`create trigger sliver_is_made after insert on slivers
      for each row execute function note_sliver_state()`,
    sql`create trigger sliver_state_changes after update of state on slivers
      for each row when (old.state is distinct from new.state) execute function note_sliver_state()`,
    sql`create function end_sliver_records() returns trigger language plpgsql as $$
      begin
        update sliver_states set ended_on = greatest(began_on, clock_timestamp())
          where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
        update journal set ended_on = greatest(began_on, clock_timestamp())
          where slice_id = old.slice_id and node_id = old.node_id and ended_on is null;
        return null;
      end $$`,
    sql`create trigger sliver_is_removed after delete on slivers
      for each row execute function end_sliver_records()`,
    // A life of a sliver ends when it runs no more, and another begins when it reports another start.
    sql`create function keep_journal() returns trigger language plpgsql as $$
      declare since timestamptz := clock_timestamp();
      begin
        update journal set ended_on = greatest(began_on, since)
          where slice_id = new.slice_id and node_id = new.node_id and ended_on is null;
        if new.state = 'started' then
          insert into journal (slice_id, slice_name, group_id, group_name, node_id, node_name,
              began_on, started_on)
            select slices.id, slices.name, groups.id, groups.name, nodes.id, nodes.name,
              since, new.report ->> 'started_on'
            from slices join groups on groups.id = slices.group_id
              join nodes on nodes.id = new.node_id
            where slices.id = new.slice_id;
        end if;
        return null;
      end $$`,
    sql`create trigger sliver_runs after update of state, report on slivers
      for each row when (
        (old.state = 'started') is distinct from (new.state = 'started')
        or (new.state = 'started'
          and old.report ->> 'started_on' is distinct from new.report ->> 'started_on'))
      execute function keep_journal()`,
    // What is known at this moment is where the records begin.
    sql`insert into node_states (node_id, state, began_on)
      select id, state, now() from nodes`,
    sql`insert into sliver_states (slice_id, node_id, state, began_on)
      select slice_id, node_id, state, now() from slivers`,
    sql`insert into journal (slice_id, slice_name, group_id, group_name, node_id, node_name,
        began_on, started_on)
      select slices.id, slices.name, groups.id, groups.name, nodes.id, nodes.name,
        coalesce(slivers.state_changed_on, now()), slivers.report ->> 'started_on'
      from slivers join slices on slices.id = slivers.slice_id
        join groups on groups.id = slices.group_id
        join nodes on nodes.id = slivers.node_id
      where slivers.state = 'started'`,
  ]
  for (const statement of statements) await statement.execute(db)
}
