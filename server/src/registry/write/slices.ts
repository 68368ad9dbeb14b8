import type { Insertable } from 'kysely'
import { sliverId, type Slice, type SliceCreate, type SlicePatch } from '@community-lab/contract'
import { completeResources } from '../../domain/admission.ts'
import { noUse } from '../../domain/quota.ts'
import { sliceLifeMs } from '../../domain/slice-end.ts'
import { chooseVersion, type KeptTemplate } from '../../domain/template-choice.ts'
import { checkIfMatch } from '../etag.ts'
import type { SliceTable } from '../../postgres/tables.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'
import { claimName } from './claim-name.ts'
import type { RegistryStore } from '../store.ts'
import { requireAllowed } from './group-rules.ts'
import { lockAdmission, requireQuota } from './admission.ts'
import { lockRow } from './lock-row.ts'
import { readDataInput } from './data-archives.ts'
import { requireUsable } from './template-rules.ts'

const expiry = (): Date => new Date(Date.now() + sliceLifeMs)

/** Read one slice. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readSlice(store: RegistryStore, id: number, tx = store.db): Promise<Slice> {
  const [slice] = await store.read.slices(tx, { ids: [id] })
  return found(slice, 'slice', id)
}

/**
 * Create an empty slice in `register`. @throws {@link LabError} LAB_NAME_TAKEN, LAB_NOT_FOUND (its template), LAB_GROUP_NOT_ALLOWED, LAB_GROUP_QUOTA, and those of
 * {@link readDataInput}.
 */
export async function createSlice(
  store: RegistryStore,
  groupId: number,
  body: SliceCreate,
): Promise<Slice> {
  return store.change(async (change) => {
    await lockAdmission(change)
    await requireSlices(change, groupId, `make slice ${body.name}`)
    await requireQuota(change, { groupId, slice: body.name, growth: { ...noUse, slices: 1 } })
    const defaults = body.sliver_defaults ?? {}
    const templateId = defaults.template?.id ?? null
    const version =
      templateId === null
        ? null
        : await chooseTemplate(store, change, {
            groupId,
            templateId,
            version: defaults.template_version ?? null,
          })
    const id = await insertSlice(change, {
      name: body.name,
      description: body.description ?? '',
      group_id: groupId,
      properties: JSON.stringify(body.properties ?? {}),
      set_state: 'register',
      default_template_id: templateId,
      default_template_version: version,
      default_set_state: defaults.set_state ?? 'start',
      default_data_sha256: (await readDataInput(change, groupId, defaults)) ?? null,
      default_resources: JSON.stringify(completeResources(defaults.resources ?? [])),
    })
    return readSlice(store, id, change.tx)
  })
}

/** What a new slice asks of a template. */
interface TemplateRequest {
  readonly groupId: number
  readonly templateId: number
  /** null: whichever it gets that names none. */
  readonly version: number | null
}

/** Choose the version of a template for a new slice; null: it has no image yet. @throws {@link LabError} LAB_NOT_FOUND, LAB_TEMPLATE_NO_VERSION, LAB_TEMPLATE_NOT_PUBLIC. */
async function chooseTemplate(
  store: RegistryStore,
  { tx }: Change,
  { groupId, templateId, version: asked }: TemplateRequest,
): Promise<number | null> {
  const [row] = await store.read.templates(tx, { ids: [templateId] })
  const template = found(row, 'template', templateId)
  if (asked === null && template.version === null) return null
  const version = chooseVersion(template, { version: asked, kept: null })
  await requireUsable(tx, { template, version, groupId, kept: null })
  return version.version
}

/** Return the template that a slice has; null: none. */
export function keptTemplate({ sliver_defaults: defaults }: Slice): KeptTemplate | null {
  const { template, template_version: version = null } = defaults
  return template === null ? null : { id: template.id, version }
}

/**
 * Change a slice. Slivers have other data from their next update on. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED, LAB_GROUP_NOT_ALLOWED,
 * and those of {@link readDataInput}.
 */
export async function patchSlice(
  store: RegistryStore,
  id: number,
  body: SlicePatch,
  ifMatch: string | null,
): Promise<Slice> {
  return changeSlice(store, id, ifMatch, async (change, slice) => {
    if (body.set_state === 'start' && slice.set_state !== 'start')
      await requireSlices(change, slice.group.id, `start slice ${slice.name}`)
    const data = await readDataInput(change, slice.group.id, body.sliver_defaults ?? {})
    if (data !== undefined && data !== (slice.sliver_defaults.data_sha256 ?? null))
      await change.tx
        .updateTable('slivers')
        .set({ data_changed: true })
        .where('slice_id', '=', id)
        .where('data_sha256', 'is', null)
        .execute()
    await change.tx
      .updateTable('slices')
      .set({
        ...(data === undefined ? {} : { default_data_sha256: data }),
        description: body.description ?? slice.description,
        properties: JSON.stringify(body.properties ?? slice.properties),
        set_state: body.set_state ?? slice.set_state,
        default_set_state: body.sliver_defaults?.set_state ?? slice.sliver_defaults.set_state,
      })
      .where('id', '=', id)
      .execute()
  })
}

/** Renew a slice: it expires after its full lifetime from now. */
export async function renewSlice(store: RegistryStore, id: number): Promise<Slice> {
  return store.change(async (change) => {
    const row = await change.tx
      .updateTable('slices')
      .set({ expires_on: expiry(), warned_days: null, warned_on: null })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst()
    found(row, 'slice', id)
    change.note('slice', 'updated', id)
    return readSlice(store, id, change.tx)
  })
}

/** Request that all slivers of a slice are reset, once. */
export async function resetSlice(store: RegistryStore, id: number): Promise<Slice> {
  return changeSlice(store, id, null, async (change) => {
    await change.tx
      .updateTable('slices')
      .set((eb) => ({ instance_sn: eb('instance_sn', '+', 1) }))
      .where('id', '=', id)
      .execute()
  })
}

/** Remove a slice and its slivers. Its samples still belong to its group. */
export async function deleteSlice(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    // Nobody adds a sliver to it before it is removed.
    await lockRow(change, 'slices', { id, forRemoval: true })
    checkIfMatch(ifMatch, await readSlice(store, id, change.tx))
    await removeSlice(change, id)
  })
}

/** Require that a group may have slices. @throws {@link LabError} LAB_GROUP_NOT_ALLOWED. */
export async function requireSlices(
  change: Change,
  groupId: number,
  action: string,
): Promise<void> {
  await requireAllowed(change, groupId, { what: 'slices', action })
}

/** Insert the row of a new slice. Its group owns its samples also after the slice was removed. @throws {@link LabError} LAB_NAME_TAKEN. */
export async function insertSlice(
  change: Change,
  values: Omit<Insertable<SliceTable>, 'expires_on'>,
): Promise<number> {
  const { id } = await claimName(
    'slice',
    values.name,
    change.tx
      .insertInto('slices')
      .values({ ...values, expires_on: expiry() })
      .returning('id')
      .executeTakeFirstOrThrow(),
  )
  await change.tx
    .insertInto('slice_owners')
    .values({ slice_id: id, group_id: values.group_id })
    .execute()
  change.note('slice', 'created', id)
  return id
}

/** Note that a slice, its slivers and the targets of their nodes have changed. */
export function noteSlice(change: Change, id: number): void {
  change.note('slice', 'updated', id)
  change.noteSlivers('slice', id)
}

async function changeSlice(
  store: RegistryStore,
  id: number,
  ifMatch: string | null,
  work: (change: Change, slice: Slice) => Promise<void>,
): Promise<Slice> {
  return store.change(async (change) => {
    await lockRow(change, 'slices', { id })
    const slice = await readSlice(store, id, change.tx)
    checkIfMatch(ifMatch, slice)
    await work(change, slice)
    noteSlice(change, id)
    return readSlice(store, id, change.tx)
  })
}

/** Remove a slice and its slivers. The row of the slice must be locked. */
export async function removeSlice(change: Change, id: number): Promise<void> {
  const slivers = await change.tx
    .deleteFrom('slivers')
    .where('slice_id', '=', id)
    .returning('node_id')
    .execute()
  for (const { node_id: nodeId } of slivers) {
    change.note('sliver', 'deleted', sliverId(id, nodeId))
    change.note('node', 'updated', nodeId)
    change.target(nodeId)
  }
  const runs = await change.tx
    .deleteFrom('runs')
    .where('slice_id', '=', id)
    .returning('id')
    .execute()
  const [gone] = await change.tx
    .deleteFrom('slices')
    .where('id', '=', id)
    .returning('group_id')
    .execute()
  const owner = { groupId: gone?.group_id ?? 0, userId: null }
  for (const run of runs) change.note('run', 'deleted', run.id, owner)
  change.note('slice', 'deleted', id)
}
