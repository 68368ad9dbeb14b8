import { sql, type Kysely } from 'kysely'

/** Versions of templates tell which nodes could not unpack their image, unless a sliver of them has run. */
export async function addBrokenImages(db: Kysely<unknown>): Promise<void> {
  await sql`alter table template_versions add column has_run boolean not null default false`.execute(
    db,
  )
  await sql`update template_versions set has_run = true where exists (
    select from slices join slivers on slivers.slice_id = slices.id and slivers.state = 'started'
    where slices.default_template_id = template_versions.template_id
      and slices.default_template_version = template_versions.version)`.execute(db)
  await sql`create table broken_images (
    template_id integer not null,
    version integer not null,
    node_id integer not null references nodes (id) on delete cascade,
    message text not null,
    reported_on timestamptz not null default now(),
    primary key (template_id, version, node_id),
    foreign key (template_id, version) references template_versions (template_id, version)
      on delete cascade)`.execute(db)
  // The index finds the rows of a node that is removed.
  await sql`create index broken_images_node on broken_images (node_id)`.execute(db)
}
