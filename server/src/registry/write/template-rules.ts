import { LabError, type Template } from '@community-lab/contract'
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
  const { used } = await readUse(change.tx, groupId, 0)
  if (used >= maxTemplates)
    throw new LabError('LAB_TEMPLATE_QUOTA', {
      group,
      what: 'templates',
      limit: maxTemplates,
      used,
    })
}

/** Return how large an image of a template may be, in bytes, besides the other images of its group; Infinity for the operators' templates. */
export async function readImageRoom(db: Db, { id, group }: Template): Promise<number> {
  if (group === null) return Infinity
  return Math.max(0, maxGroupImagesBytes - (await readUse(db, group.id, id)).bytes)
}

/** Require that an image fits into what its group may have. The row of the group stays locked. @throws {@link LabError} LAB_TEMPLATE_QUOTA. */
export async function requireRoomForImage(
  change: Change,
  template: Template,
  sizeBytes: number,
): Promise<void> {
  if (template.group === null) return
  const { name: group } = await lockGroup(change, template.group.id)
  const room = await readImageRoom(change.tx, template)
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

/** Require that slices of a group may use a template. @throws {@link LabError} LAB_TEMPLATE_NOT_PUBLIC. */
export async function requireUsable(
  db: Db,
  { name, group, is_public: isPublic }: Template,
  groupId: number,
): Promise<void> {
  if (isPublic || group?.id === groupId) return
  const row =
    group === null
      ? undefined
      : await db.selectFrom('groups').select('name').where('id', '=', group.id).executeTakeFirst()
  throw new LabError('LAB_TEMPLATE_NOT_PUBLIC', { template: name, group: row?.name ?? null })
}

/** Read the number of templates of a group, and the bytes of the images of those other than one. */
async function readUse(
  db: Db,
  groupId: number,
  other: number,
): Promise<{ readonly used: number; readonly bytes: number }> {
  const rows = await db
    .selectFrom('templates')
    .select(['id', 'image_size_bytes'])
    .where('group_id', '=', groupId)
    .execute()
  const bytes = rows.filter(({ id }) => id !== other).map((row) => row.image_size_bytes ?? 0)
  return { used: rows.length, bytes: bytes.reduce((sum, each) => sum + each, 0) }
}
