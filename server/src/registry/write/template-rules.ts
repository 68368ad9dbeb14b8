import { sql } from 'kysely'
import {
  LabError,
  templateName,
  type Template,
  type TemplateVersion,
} from '@community-lab/contract'
import type { KeptTemplate } from '../../domain/template-choice.ts'
import type { Change } from '../change.ts'
import type { Db } from '../read/selection.ts'
import { lockGroup, requireAllowed } from './group-rules.ts'

/** How many templates a group may have. */
const maxTemplates = 20
/** How much their images may take on the server's disk, in bytes. */
export const maxGroupImagesBytes = 8 * 1024 ** 3
const mib = 1024 ** 2

/** Require that a group may have one more template. Its row stays locked. @throws {@link LabError} LAB_TEMPLATE_QUOTA, LAB_GROUP_NOT_ALLOWED. */
export async function requireRoomForTemplate(
  change: Change,
  groupId: number,
  template: string,
): Promise<void> {
  const { name: group } = await lockGroup(change, groupId)
  await requireAllowed(change, groupId, { what: 'slices', action: `make template ${template}` })
  const { used } = await readUse(change.tx, groupId)
  if (used >= maxTemplates)
    throw new LabError('LAB_TEMPLATE_QUOTA', {
      group,
      what: 'templates',
      limit: maxTemplates,
      used,
    })
}

/** Return how many bytes of images a group may still store. */
export async function readImageRoom(db: Db, groupId: number): Promise<number> {
  return Math.max(0, maxGroupImagesBytes - (await readUse(db, groupId)).bytes)
}

/** Require that an image fits into what its group may have. The row of the group stays locked. @throws {@link LabError} LAB_TEMPLATE_QUOTA. */
export async function requireRoomForImage(
  change: Change,
  template: Template,
  sizeBytes: number,
): Promise<void> {
  if (template.group === null) return
  const { name: group } = await lockGroup(change, template.group.id)
  const room = await readImageRoom(change.tx, template.group.id)
  if (sizeBytes <= room) return
  throw imagesFull(group, maxGroupImagesBytes - room)
}

/** Return the refusal of an image that does not fit. */
export function imagesFull(group: string, usedBytes: number): LabError {
  return new LabError('LAB_TEMPLATE_QUOTA', {
    group,
    what: 'MiB of images',
    limit: maxGroupImagesBytes / mib,
    used: Math.ceil(usedBytes / mib),
  })
}

/** A version of a template that a slice is to have. */
export interface WantedVersion {
  readonly template: Template
  readonly version: TemplateVersion
  /** The group of the slice. */
  readonly groupId: number
  /** What the slice has already. It keeps that when it is made private. */
  readonly kept: KeptTemplate | null
}

/** Require that slices of a group may use a version. @throws {@link LabError} LAB_TEMPLATE_NOT_PUBLIC. */
export async function requireUsable(
  db: Db,
  { template: { id, name, group, versions = [] }, version, groupId, kept }: WantedVersion,
): Promise<void> {
  if (version.is_public || group?.id === groupId) return
  if (kept?.id === id && kept.version === version.version) return
  const row =
    group === null
      ? undefined
      : await db.selectFrom('groups').select('name').where('id', '=', group.id).executeTakeFirst()
  const isOther = versions.some((each) => each.is_public)
  throw new LabError('LAB_TEMPLATE_NOT_PUBLIC', {
    template: isOther ? templateName(name, version.version) : name,
    group: row?.name ?? null,
  })
}

/** Read the number of templates of a group, and the bytes of their images. */
async function readUse(
  db: Db,
  groupId: number,
): Promise<{ readonly used: number; readonly bytes: number }> {
  const row = await db
    .selectFrom('templates')
    .leftJoin('template_versions', 'template_id', 'id')
    .select([
      sql<number>`count(distinct id)::int`.as('used'),
      sql<number>`coalesce(sum(image_size_bytes), 0)::float8`.as('bytes'),
    ])
    .where('group_id', '=', groupId)
    .executeTakeFirst()
  return { used: row?.used ?? 0, bytes: row?.bytes ?? 0 }
}
