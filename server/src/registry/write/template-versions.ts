import {
  LabError,
  templateName,
  type Template,
  type TemplateVersion,
} from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import { checkIfMatch } from '../etag.ts'
import type { Db } from '../read/selection.ts'
import type { RegistryStore } from '../store.ts'
import { forgetBroken } from './broken-images.ts'
import { notePublic } from './template-public.ts'
import { requireRoomForImage } from './template-rules.ts'
import { changeTemplate, readTemplate } from './templates.ts'

/** The most versions of a template. */
export const maxVersions = 100

/** An image for a new version. */
export interface NewImage {
  readonly sha256: string
  readonly sizeBytes: number
  /** Whether slices of all groups may use it. Asked with the template as it is at the time of the change. */
  readonly isPublic: (template: Template) => boolean
}

/**
 * Add a version to a template. An image that one of its versions has already makes no other version, but nodes may try it again that could not unpack it.
 *
 * @throws {@link LabError} LAB_TEMPLATE_QUOTA, LAB_TEMPLATE_TOO_MANY_VERSIONS.
 */
export async function addVersion(
  store: RegistryStore,
  id: number,
  { sha256, sizeBytes, isPublic }: NewImage,
): Promise<Template> {
  return changeTemplate(store, id, async (change, template) => {
    const { name, versions = [] } = template
    const same = versions.find((each) => each.image_sha256 === sha256)
    if (same !== undefined) return forgetBroken(change, { id, version: same.version })
    if (versions.length >= maxVersions)
      throw new LabError('LAB_TEMPLATE_TOO_MANY_VERSIONS', { template: name, limit: maxVersions })
    await requireRoomForImage(change, template, sizeBytes)
    const { last_version: version } = await change.tx
      .updateTable('templates')
      .set((eb) => ({ last_version: eb('last_version', '+', 1) }))
      .where('id', '=', id)
      .returning('last_version')
      .executeTakeFirstOrThrow()
    await change.tx
      .insertInto('template_versions')
      .values({
        template_id: id,
        version,
        image_sha256: sha256,
        image_size_bytes: sizeBytes,
        is_public: isPublic(template),
      })
      .execute()
    return 'changed'
  })
}

/**
 * Let slices of all groups use a version, or only those of its group. A slice that has the version keeps it.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED.
 */
export async function publishVersion(
  store: RegistryStore,
  of: VersionId,
  { isPublic, ifMatch }: { readonly isPublic: boolean; readonly ifMatch: string | null },
): Promise<TemplateVersion> {
  const changed = await changeTemplate(store, of.id, async (change, template) => {
    const found = findVersion(template, of.version)
    checkIfMatch(ifMatch, found)
    if (found.is_public === isPublic) return 'unchanged'
    await change.tx
      .updateTable('template_versions')
      .set({ is_public: isPublic })
      .where('template_id', '=', of.id)
      .where('version', '=', of.version)
      .execute()
    await notePublic(change, of.id)
    return 'changed'
  })
  return findVersion(changed, of.version)
}

/** Remove a version that no slice uses. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED, LAB_TEMPLATE_IN_USE. */
export async function removeVersion(
  store: RegistryStore,
  { id, version }: VersionId,
  ifMatch: string | null,
): Promise<void> {
  await changeTemplate(store, id, async (change, template) => {
    checkIfMatch(ifMatch, findVersion(template, version))
    // Lock it, so that no slice begins to use it before it is removed.
    await change.tx
      .selectFrom('template_versions')
      .select('version')
      .where('template_id', '=', id)
      .where('version', '=', version)
      .forUpdate()
      .execute()
    const users = await change.tx
      .selectFrom('slices')
      .select('name')
      .where('default_template_id', '=', id)
      .where('default_template_version', '=', version)
      .execute()
    if (users.length > 0)
      throw new LabError('LAB_TEMPLATE_IN_USE', {
        template: templateName(template.name, version),
        slices: users.map((slice) => slice.name),
      })
    await change.tx
      .deleteFrom('template_versions')
      .where('template_id', '=', id)
      .where('version', '=', version)
      .execute()
    await notePublic(change, id)
    return 'changed'
  })
}

/** A version of a template. */
export interface VersionId {
  readonly id: number
  readonly version: number
}

/** Read a version. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readVersion(
  store: RegistryStore,
  { id, version }: VersionId,
): Promise<{ readonly template: Template; readonly version: TemplateVersion }> {
  const template = await readTemplate(store, id)
  return { template, version: findVersion(template, version) }
}

/** Read the SHA-256 of all images. */
export async function readImages(db: Db): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('template_versions').select('image_sha256').distinct().execute()
  return new Set(rows.map((row) => row.image_sha256))
}

/** Tell whether a node has a sliver of a version. */
export async function usesVersion(
  db: Db,
  nodeId: number,
  { id, version }: VersionId,
): Promise<boolean> {
  const row = await db
    .selectFrom('slivers')
    .innerJoin('slices', 'slices.id', 'slivers.slice_id')
    .select('slice_id')
    .where('node_id', '=', nodeId)
    .where('default_template_id', '=', id)
    .where('default_template_version', '=', version)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

function findVersion({ name, versions = [] }: Template, version: number): TemplateVersion {
  const one = versions.find((each) => each.version === version)
  return found(one, 'version of template', templateName(name, version))
}
