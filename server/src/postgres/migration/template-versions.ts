import { sql, type Kysely } from 'kysely'

/** Templates have versions, which never change. The image that a template has becomes its version 1, and each slice of it keeps that. */
export async function addTemplateVersions(db: Kysely<unknown>): Promise<void> {
  await sql`create table template_versions (
    template_id integer not null references templates (id) on delete cascade,
    version integer not null,
    image_sha256 text not null,
    image_size_bytes bigint not null,
    is_public boolean not null,
    created_on timestamptz not null default now(),
    primary key (template_id, version),
    unique (template_id, image_sha256))`.execute(db)
  await sql`create index template_versions_sha256 on template_versions (image_sha256)`.execute(db)
  await sql`alter table templates add column last_version integer not null default 0`.execute(db)
  await sql`insert into template_versions
      (template_id, version, image_sha256, image_size_bytes, is_public)
    select id, 1, image_sha256, coalesce(image_size_bytes, 0), is_public
    from templates where image_sha256 is not null`.execute(db)
  await sql`update templates set last_version = 1 where image_sha256 is not null`.execute(db)
  await sql`alter table slices
    add column default_template_version integer,
    add constraint slices_template_version foreign key (default_template_id, default_template_version)
      references template_versions (template_id, version)`.execute(db)
  await sql`update slices set default_template_version = 1 from templates
    where templates.id = default_template_id and templates.last_version = 1`.execute(db)
  await sql`create index slices_template on slices (default_template_id, default_template_version)`.execute(
    db,
  )
  await sql`alter table templates drop column image_sha256, drop column image_size_bytes`.execute(
    db,
  )
}
