import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import {
  LabError,
  sliverId,
  type Slice,
  type SliceSpec,
  type SliceWithSlivers,
  type Sliver,
} from '@community-lab/contract'
import { admitSlice, type Admission } from '../../domain/admission.ts'
import type { Change } from '../change.ts'
import { found, type Core } from '../core.ts'
import { insertSlice, noteSlice } from './slices.ts'

/** The advisory lock of admission: who reserves room sees what was reserved before. The number is "clab" in ASCII. */
const admissionLock = 0x636c6162

/** Wait until nobody else is being admitted, to the end of the change. */
export async function lockAdmission(change: Change): Promise<void> {
  await sql`select pg_advisory_xact_lock(${admissionLock})`.execute(change.tx)
}

/**
 * Make a slice what a spec says, or refuse all of it. Sending it again changes nothing. A sliver whose template or resources change is made anew.
 *
 * @throws {@link LabError} LAB_NAME_TAKEN when another group has the name; what {@link admitSlice} throws.
 */
export async function ensureSlice(
  core: Core,
  groupId: number,
  spec: SliceSpec,
): Promise<SliceWithSlivers & { readonly created: boolean }> {
  return core.change(async (change) => {
    const { tx } = change
    await lockAdmission(change)
    const [slice] = await core.read.slices(tx, { names: [spec.name] })
    if (slice !== undefined && slice.group.id !== groupId)
      throw new LabError('LAB_NAME_TAKEN', { kind: 'slice', name: spec.name })
    const before = slice === undefined ? [] : await core.read.slivers(tx, { sliceIds: [slice.id] })
    const admission = admitSlice(spec, {
      nodes: await core.read.nodes(tx),
      templates: await core.read.templates(tx),
      present: new Map(before.map((sliver) => [sliver.node.name, sliver.resources])),
    })
    const sliceId = await writeSlice(change, { groupId, spec, slice, admission })
    const remade =
      slice !== undefined && slice.sliver_defaults.template?.id !== admission.template.id
    await writeSlivers(change, sliceId, { before, admission, remade })
    const [shown] = await core.read.slices(tx, { ids: [sliceId] })
    return {
      created: slice === undefined,
      slice: found(shown, 'slice', sliceId),
      slivers: await core.read.slivers(tx, { sliceIds: [sliceId] }),
    }
  })
}

interface WantedSlice {
  readonly groupId: number
  readonly spec: SliceSpec
  readonly slice: Slice | undefined
  readonly admission: Admission
}

async function writeSlice(
  change: Change,
  { groupId, spec, slice, admission }: WantedSlice,
): Promise<number> {
  const values = {
    description: spec.description ?? slice?.description ?? '',
    set_state: spec.set_state ?? 'start',
    default_template_id: admission.template.id,
    default_set_state: 'start' as const,
    default_resources: JSON.stringify(admission.resources),
  }
  if (slice === undefined)
    return insertSlice(change, { name: spec.name, group_id: groupId, properties: '{}', ...values })
  const same =
    slice.description === values.description &&
    slice.set_state === values.set_state &&
    slice.sliver_defaults.set_state === values.default_set_state &&
    slice.sliver_defaults.template?.id === values.default_template_id &&
    isDeepStrictEqual(slice.sliver_defaults.resources, admission.resources)
  if (same) return slice.id
  await change.tx.updateTable('slices').set(values).where('id', '=', slice.id).execute()
  noteSlice(change, slice)
  return slice.id
}

interface WantedSlivers {
  readonly before: readonly Sliver[]
  readonly admission: Admission
  /** The template is another one than before. */
  readonly remade: boolean
}

async function writeSlivers(
  change: Change,
  sliceId: number,
  { before, admission, remade }: WantedSlivers,
): Promise<void> {
  const wanted = new Set(admission.nodes.map((node) => node.id))
  const present = new Map(before.map((sliver) => [sliver.node.id, sliver]))
  const added = [...wanted].filter((id) => !present.has(id))
  const removed = [...present.keys()].filter((id) => !wanted.has(id))
  const updated = [...present.values()].filter(
    (sliver) =>
      wanted.has(sliver.node.id) &&
      (remade || !isDeepStrictEqual(sliver.resources, admission.resources)),
  )
  const resources = JSON.stringify(admission.resources)
  if (added.length > 0)
    await change.tx
      .insertInto('slivers')
      .values(
        added.map((nodeId) => ({
          slice_id: sliceId,
          node_id: nodeId,
          description: '',
          properties: '{}',
          resources,
          state: 'unknown' as const,
        })),
      )
      .execute()
  if (removed.length > 0)
    await change.tx
      .deleteFrom('slivers')
      .where('slice_id', '=', sliceId)
      .where('node_id', '=', sql<number>`any(${removed}::int[])`)
      .execute()
  const ids = updated.map((sliver) => sliver.node.id)
  if (ids.length > 0)
    await change.tx
      .updateTable('slivers')
      .set((eb) => ({ resources, instance_sn: eb('instance_sn', '+', 1) }))
      .where('slice_id', '=', sliceId)
      .where('node_id', '=', sql<number>`any(${ids}::int[])`)
      .execute()
  if (added.length + removed.length > 0) change.note('slice', 'updated', sliceId)
  const note = (action: 'created' | 'updated' | 'deleted') => (nodeId: number) => {
    change.note('sliver', action, sliverId(sliceId, nodeId))
    // Its slivers and what it has left are part of a node.
    change.note('node', 'updated', nodeId)
    change.target(nodeId)
  }
  added.forEach(note('created'))
  removed.forEach(note('deleted'))
  ids.forEach(note('updated'))
}
