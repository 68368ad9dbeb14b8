import { sql, type Kysely } from 'kysely'

/** Slices and slivers have data archives, which groups upload. */
export async function addDataArchives(db: Kysely<unknown>): Promise<void> {
  await sql`create table data_archives (
    group_id integer not null references groups (id) on delete cascade,
    sha256 text not null,
    size_bytes bigint not null,
    named_on timestamptz not null default now(),
    primary key (group_id, sha256))`.execute(db)
  await sql`alter table slices add column default_data_sha256 text`.execute(db)
  await sql`alter table slivers add column data_sha256 text`.execute(db)
  // The indexes find who names an archive. Few slices have one.
  await sql`create index slices_data on slices (default_data_sha256)
    where default_data_sha256 is not null`.execute(db)
  await sql`create index slivers_data on slivers (data_sha256)
    where data_sha256 is not null`.execute(db)
}
