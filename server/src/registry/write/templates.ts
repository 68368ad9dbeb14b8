import {
  LabError,
  type Template,
  type TemplateCreate,
  type TemplatePatch,
} from '@community-lab/contract'
import { checkIfMatch } from '../etag.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'
import { claimName } from './claim-name.ts'
import { requireRoomForTemplate } from './template-rules.ts'
import { publishTemplate } from './template-public.ts'
import type { RegistryStore } from '../store.ts'

/** Read one template. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readTemplate(
  store: RegistryStore,
  id: number,
  tx = store.db,
): Promise<Template> {
  const [template] = await store.read.templates(tx, { ids: [id] })
  return found(template, 'template', id)
}

/** Create a template of a group, or of the operators (null), without an image yet. @throws {@link LabError} LAB_NAME_TAKEN, LAB_TEMPLATE_QUOTA, LAB_GROUP_NOT_ALLOWED. */
export async function createTemplate(
  store: RegistryStore,
  groupId: number | null,
  body: Omit<TemplateCreate, 'group'>,
): Promise<Template> {
  return store.change(async (change) => {
    if (groupId !== null) await requireRoomForTemplate(change, groupId, body.name)
    const { id } = await claimName(
      'template',
      body.name,
      change.tx
        .insertInto('templates')
        .values({
          name: body.name,
          description: body.description ?? '',
          type: body.type ?? 'debian',
          node_archs: [...body.node_archs],
          is_active: body.is_active ?? true,
          group_id: groupId,
          is_public: body.is_public ?? groupId === null,
        })
        .returning('id')
        .executeTakeFirstOrThrow(),
    )
    change.note('template', 'created', id)
    return readTemplate(store, id, change.tx)
  })
}

/** Change a template. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED, LAB_TEMPLATE_VERSION_NEEDED, LAB_TEMPLATE_NO_VERSION. */
export async function patchTemplate(
  store: RegistryStore,
  id: number,
  body: TemplatePatch,
  ifMatch: string | null,
): Promise<Template> {
  return changeTemplate(store, id, async (change, template) => {
    checkIfMatch(ifMatch, template)
    await change.tx
      .updateTable('templates')
      .set({
        description: body.description ?? template.description,
        node_archs: [...(body.node_archs ?? template.node_archs)],
        is_active: body.is_active ?? template.is_active,
      })
      .where('id', '=', id)
      .execute()
    // Any ETag (*) is none that the asker has read.
    const isChecked = ifMatch !== null && ifMatch.trim() !== '*'
    await publishTemplate(change, template, { ...body, isChecked })
    return 'changed'
  })
}

/** Remove a template that no slice uses. @throws {@link LabError} LAB_TEMPLATE_IN_USE. */
export async function deleteTemplate(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    // Lock the template, so that no slice begins to use it before it is removed.
    await change.tx.selectFrom('templates').select('id').where('id', '=', id).forUpdate().execute()
    const template = await readTemplate(store, id, change.tx)
    checkIfMatch(ifMatch, template)
    const users = await change.tx
      .selectFrom('slices')
      .select('name')
      .where('default_template_id', '=', id)
      .execute()
    if (users.length > 0)
      throw new LabError('LAB_TEMPLATE_IN_USE', {
        template: template.name,
        slices: users.map((slice) => slice.name),
      })
    await change.tx.deleteFrom('templates').where('id', '=', id).execute()
    change.note('template', 'deleted', id)
  })
}

/**
 * Change a template under a lock on its row. Without a change there is no event.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, and what `work` throws.
 */
export async function changeTemplate(
  store: RegistryStore,
  id: number,
  work: (change: Change, template: Template) => Promise<'changed' | 'unchanged'>,
): Promise<Template> {
  return store.change(async (change) => {
    await change.tx
      .selectFrom('templates')
      .select('id')
      .where('id', '=', id)
      .forNoKeyUpdate()
      .execute()
    const outcome = await work(change, await readTemplate(store, id, change.tx))
    if (outcome === 'changed') {
      change.note('template', 'updated', id)
      change.targetsOf('template', id)
    }
    return readTemplate(store, id, change.tx)
  })
}
