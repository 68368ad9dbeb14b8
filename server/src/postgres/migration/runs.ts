import { sql, type Kysely } from 'kysely'

/** Slices have runs: programs on their slivers, and what became of them on each. */
export async function addRuns(db: Kysely<unknown>): Promise<void> {
  await sql`create table runs (
    id text primary key,
    slice_id integer not null references slices (id) on delete cascade,
    name text not null,
    created_by integer references users (id) on delete set null,
    created_on timestamptz(3) not null default now(),
    start_at timestamptz,
    limit_ms bigint,
    programs jsonb not null,
    cancelled_on timestamptz,
    ended_on timestamptz,
    unique (slice_id, name))`.execute(db)
  await sql`create index runs_open on runs (slice_id) where ended_on is null`.execute(db)
  await sql`create index runs_user on runs (created_by)`.execute(db)
  await sql`create index runs_created on runs (created_on, id)`.execute(db)
  // A part stays when its sliver or its node is removed, so there is no reference to them.
  await sql`create table run_parts (
    run_id text not null references runs (id) on delete cascade,
    node_id integer not null,
    node_name text not null,
    program integer not null,
    slice_instance_sn integer not null,
    instance_sn integer not null,
    state text not null default 'waiting',
    outcome jsonb not null default '{}',
    primary key (run_id, node_id))`.execute(db)
  await sql`create index run_parts_open on run_parts (node_id) where state <> 'ended'`.execute(db)
  // What nodes have last reported of runs is not in their reports, which everybody can read.
  await sql`alter table nodes add column run_reports jsonb`.execute(db)
}
