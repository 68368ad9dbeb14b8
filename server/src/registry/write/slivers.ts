import {
  LabError,
  parseSliverId,
  sliverId,
  type Sliver,
  type SliverCreate,
  type SliverPatch,
} from '@community-lab/contract'
import { admitSlice } from '../../domain/admission.ts'
import { checkIfMatch } from '../../http/etag.ts'
import type { Change } from '../change.ts'
import { found, type Core } from '../core.ts'
import { lockAdmission } from './ensure.ts'
import { insertSlivers, remakeSlivers, removeSlivers } from './sliver-rows.ts'

/** Read one sliver. @throws {@link LabError} LAB_NOT_FOUND. */
export async function readSliver(core: Core, id: string, tx = core.db): Promise<Sliver> {
  const parsed = parseSliverId(id)
  const at = parsed === null ? null : { sliceIds: [parsed.sliceId], nodeIds: [parsed.nodeId] }
  const [sliver] = at === null ? [] : await core.read.slivers(tx, at)
  return found(sliver, 'sliver', id)
}

/** Add a sliver to a slice that has a template. @throws {@link LabError} LAB_NOT_FOUND, LAB_NAME_TAKEN, and what {@link admitSlice} throws. */
export async function createSliver(core: Core, body: SliverCreate): Promise<Sliver> {
  return core.change(async (change) => {
    const { tx } = change
    await lockAdmission(change)
    const [slice] = await core.read.slices(tx, { ids: [body.slice.id] })
    const [ofNode] = await core.read.nodes(tx, { ids: [body.node.id] })
    const templates = await core.read.templates(tx)
    const { name, sliver_defaults: defaults } = found(slice, 'slice', body.slice.id)
    const node = found(ofNode, 'node', body.node.id)
    const id = sliverId(body.slice.id, node.id)
    if (node.slivers.some((sliver) => sliver.id === id))
      throw new LabError('LAB_NAME_TAKEN', { kind: 'sliver', name: id })
    const template = templates.find((each) => each.id === defaults.template?.id)
    const { resources } = admitSlice(
      {
        name,
        template: found(template, 'template', 'of the slice').name,
        nodes: [node.name],
        resources: defaults.resources,
      },
      { nodes: [node], templates, present: new Map() },
    )
    await insertSlivers(change, {
      sliceId: body.slice.id,
      nodeIds: [node.id],
      resources: JSON.stringify(resources),
      ...(body.description === undefined ? {} : { description: body.description }),
      setState: body.set_state ?? null,
      properties: JSON.stringify(body.properties ?? {}),
    })
    return readSliver(core, id, tx)
  })
}

/** Change a sliver. @throws {@link LabError} LAB_NOT_FOUND, LAB_REQUEST_PRECONDITION_FAILED. */
export async function patchSliver(
  core: Core,
  id: string,
  body: SliverPatch,
  ifMatch: string | null,
): Promise<Sliver> {
  return core.change(async (change) => {
    const sliver = await lockSliver(core, change, id)
    checkIfMatch(ifMatch, sliver)
    await change.tx
      .updateTable('slivers')
      .set({
        description: body.description ?? sliver.description,
        set_state: body.set_state === undefined ? sliver.set_state : body.set_state,
        properties: JSON.stringify(body.properties ?? sliver.properties),
      })
      .where('slice_id', '=', sliver.slice.id)
      .where('node_id', '=', sliver.node.id)
      .execute()
    change.note('sliver', 'updated', id)
    change.target(sliver.node.id)
    return readSliver(core, id, change.tx)
  })
}

/** Ask for a sliver to be made anew from registered on, once. */
export async function updateSliver(core: Core, id: string): Promise<Sliver> {
  return core.change(async (change) => {
    const { slice, node } = await lockSliver(core, change, id)
    await remakeSlivers(change, { sliceId: slice.id, nodeIds: [node.id] })
    return readSliver(core, id, change.tx)
  })
}

/** Remove a sliver. */
export async function deleteSliver(core: Core, id: string, ifMatch: string | null): Promise<void> {
  await core.change(async (change) => {
    const sliver = await lockSliver(core, change, id)
    checkIfMatch(ifMatch, sliver)
    await removeSlivers(change, { sliceId: sliver.slice.id, nodeIds: [sliver.node.id] })
  })
}

async function lockSliver(core: Core, change: Change, id: string): Promise<Sliver> {
  const at = parseSliverId(id)
  if (at !== null)
    await change.tx
      .selectFrom('slivers')
      .select('slice_id')
      .where('slice_id', '=', at.sliceId)
      .where('node_id', '=', at.nodeId)
      .forNoKeyUpdate()
      .execute()
  return readSliver(core, id, change.tx)
}
