import {
  LabError,
  parseSliverId,
  sliverId,
  type Sliver,
  type SliverCreate,
  type SliverPatch,
} from '@community-lab/contract'
import { useOf } from '../../domain/quota.ts'
import { checkIfMatch } from '../etag.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'
import { admitOn, lockAdmission, requireQuota } from './admission.ts'
import { requireUnpackable } from './broken-images.ts'
import { readDataInput } from './data-archives.ts'
import { keptTemplate, readSlice, requireSlices } from './slices.ts'
import { insertSlivers, remakeSlivers, removeSlivers } from './sliver-rows.ts'
import { requireUsable } from './template-rules.ts'

/** Read one sliver. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readSliver(store: RegistryStore, id: string, tx = store.db): Promise<Sliver> {
  const parsed = parseSliverId(id)
  const at = parsed === null ? null : { sliceIds: [parsed.sliceId], nodeIds: [parsed.nodeId] }
  const [sliver] = at === null ? [] : await store.read.slivers(tx, at)
  return found(sliver, 'sliver', id)
}

/**
 * Add a sliver to a slice that has a template. @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, LAB_GROUP_NOT_ALLOWED, LAB_GROUP_QUOTA, and the errors of {@link
 * admitOn}.
 */
export async function createSliver(store: RegistryStore, body: SliverCreate): Promise<Sliver> {
  return store.change(async (change) => {
    const { tx } = change
    await lockAdmission(change)
    const [slice] = await store.read.slices(tx, { ids: [body.slice.id] })
    const [ofNode] = await store.read.nodes(tx, { ids: [body.node.id] })
    const templates = await store.read.templates(tx)
    const { name, group, sliver_defaults: defaults } = found(slice, 'slice', body.slice.id)
    await requireSlices(change, group.id, `add a sliver to slice ${name}`)
    const node = found(ofNode, 'node', body.node.id)
    const id = sliverId(body.slice.id, node.id)
    if (node.slivers.some((sliver) => sliver.id === id))
      throw new LabError('LAB_NAME_TAKEN', { kind: 'sliver', name: id })
    const template = found(
      templates.find((each) => each.id === defaults.template?.id),
      'template',
      'of the slice',
    )
    const spec = {
      name,
      template: template.name,
      nodes: [node.name],
      resources: defaults.resources,
    }
    const kept = keptTemplate(found(slice, 'slice', body.slice.id))
    const { resources, version } = await admitOn(store, change, {
      nodes: [node],
      templates,
      kept,
      present: new Map(),
      spec,
    })
    requireUnpackable(template, version)
    const growth = { ...useOf([resources]), slices: 0 }
    await requireQuota(change, { groupId: group.id, slice: name, growth })
    if (kept?.version === null) {
      // The template has an image since the slice was made.
      await requireUsable(tx, { template, version, groupId: group.id, kept })
      await tx
        .updateTable('slices')
        .set({ default_template_version: version.version })
        .where('id', '=', body.slice.id)
        .execute()
    }
    await insertSlivers(change, {
      sliceId: body.slice.id,
      nodeIds: [node.id],
      resources: JSON.stringify(resources),
      ...(body.description === undefined ? {} : { description: body.description }),
      setState: body.set_state ?? null,
      dataSha256: (await readDataInput(change, group.id, body)) ?? null,
      properties: JSON.stringify(body.properties ?? {}),
    })
    return readSliver(store, id, tx)
  })
}

/** Change a sliver. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED. */
export async function patchSliver(
  store: RegistryStore,
  id: string,
  body: SliverPatch,
  ifMatch: string | null,
): Promise<Sliver> {
  return store.change(async (change) => {
    const sliver = await lockSliver(store, change, id)
    checkIfMatch(ifMatch, sliver)
    const { group } = await readSlice(store, sliver.slice.id, change.tx)
    const data = await readDataInput(change, group.id, body)
    await change.tx
      .updateTable('slivers')
      .set({
        ...(data === undefined || data === (sliver.data_sha256 ?? null)
          ? {}
          : { data_sha256: data, data_changed: true }),
        description: body.description ?? sliver.description,
        set_state: body.set_state === undefined ? sliver.set_state : body.set_state,
        properties: JSON.stringify(body.properties ?? sliver.properties),
      })
      .where('slice_id', '=', sliver.slice.id)
      .where('node_id', '=', sliver.node.id)
      .execute()
    change.note('sliver', 'updated', id)
    change.target(sliver.node.id)
    return readSliver(store, id, change.tx)
  })
}

/** Request that a sliver is reset, once: it starts again in `registered`. */
export async function updateSliver(store: RegistryStore, id: string): Promise<Sliver> {
  return store.change(async (change) => {
    const { slice, node } = await lockSliver(store, change, id)
    await remakeSlivers(change, { sliceId: slice.id, nodeIds: [node.id] })
    return readSliver(store, id, change.tx)
  })
}

/** Remove a sliver. */
export async function deleteSliver(
  store: RegistryStore,
  id: string,
  ifMatch: string | null,
): Promise<void> {
  await store.change(async (change) => {
    const sliver = await lockSliver(store, change, id)
    checkIfMatch(ifMatch, sliver)
    await removeSlivers(change, { sliceId: sliver.slice.id, nodeIds: [sliver.node.id] })
  })
}

async function lockSliver(store: RegistryStore, change: Change, id: string): Promise<Sliver> {
  const at = parseSliverId(id)
  if (at !== null)
    await change.tx
      .selectFrom('slivers')
      .select('slice_id')
      .where('slice_id', '=', at.sliceId)
      .where('node_id', '=', at.nodeId)
      .forNoKeyUpdate()
      .execute()
  return readSliver(store, id, change.tx)
}
