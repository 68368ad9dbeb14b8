import { isDeepStrictEqual } from 'node:util'
import {
  LabError,
  type ResourceRequest,
  type Slice,
  type SliceSpec,
  type SliceWithSlivers,
  type Sliver,
} from '@community-lab/contract'
import { findTemplate, type Admission } from '../../domain/admission.ts'
import { growthOf, noUse, useOf } from '../../domain/quota.ts'
import {
  compareSlivers,
  keptNodes,
  type SliverChanges,
  type TemplateBefore,
} from '../../domain/slice-loss.ts'
import type { KeptTemplate } from '../../domain/template-choice.ts'
import type { Change } from '../change.ts'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'
import { requireUnpackable } from './broken-images.ts'
import { nameArchive } from './data-archives.ts'
import { admitOn, lockAdmission, requireQuota } from './admission.ts'
import { insertSlice, keptTemplate, noteSlice, requireSlices } from './slices.ts'
import { requireUsable } from './template-rules.ts'
import { insertSlivers, remakeSlivers, removeSlivers } from './sliver-rows.ts'

/**
 * Create or change a slice as its spec says, or refuse the whole spec. Sending a spec again changes nothing. A sliver is made again when its template, resources or data
 * change.
 *
 * @throws {@link LabError} LAB_NAME_TAKEN when another group has the name; LAB_GROUP_NOT_ALLOWED; LAB_GROUP_QUOTA; LAB_SLICE_WOULD_LOSE when slivers would be removed or made
 * again and the spec does not allow it; LAB_DATA_UNKNOWN; the errors of {@link admitOn}.
 */
export async function ensureSlice(
  store: RegistryStore,
  groupId: number,
  spec: SliceSpec,
): Promise<SliceWithSlivers & { readonly created: boolean }> {
  return store.change(async (change) => {
    const { tx } = change
    await lockAdmission(change)
    const [slice] = await store.read.slices(tx, { names: [spec.name] })
    if (slice !== undefined && slice.group.id !== groupId)
      throw new LabError('LAB_NAME_TAKEN', { kind: 'slice', name: spec.name })
    const present =
      slice === undefined ? [] : await store.read.slivers(tx, { sliceIds: [slice.id] })
    const kept = slice === undefined ? null : keptTemplate(slice)
    const { admission, templateBefore } = await admit(store, change, {
      groupId,
      spec,
      present,
      kept,
    })
    const dataBefore = slice?.sliver_defaults.data_sha256 ?? null
    const data = spec.data_sha256 === undefined ? dataBefore : spec.data_sha256
    const changedOn =
      slice === undefined ? new Set<number>() : await findChangedData(change, slice.id)
    const changes = compareSlivers(present, {
      ...admission,
      templateBefore,
      data:
        spec.data_sha256 === undefined
          ? null
          : { sha256: spec.data_sha256, before: dataBefore, changedOn },
    })
    if (changes.losses.length > 0 && spec.may_lose !== 'slivers')
      throw new LabError('LAB_SLICE_WOULD_LOSE', {
        slice: spec.name,
        slivers: changes.losses.slice(0, maxLossesTold),
        count: changes.losses.length,
      })
    const isOther = kept?.id !== admission.template.id || kept.version !== admission.version.version
    if (changes.added.length > 0 || isOther)
      requireUnpackable(admission.template, admission.version)
    const starts = slice === undefined || (spec.set_state ?? 'start') === 'start'
    if (starts || changes.added.length > 0)
      await requireSlices(change, groupId, `start slice ${spec.name}`)
    const before = slice === undefined ? noUse : useOf(present.map(({ resources }) => resources))
    const after = useOf(admission.nodes.map(() => admission.resources))
    await requireQuota(change, { groupId, slice: spec.name, growth: growthOf(before, after) })
    // Last, so that nothing is uploaded for a slice that would be refused.
    if (data !== null && data !== dataBefore) await nameArchive(change, { groupId, sha256: data })
    const sliceId = await writeSlice(change, { groupId, spec, slice, admission, data })
    await writeSlivers(change, sliceId, { changes, resources: admission.resources })
    const [shown] = await store.read.slices(tx, { ids: [sliceId] })
    return {
      created: slice === undefined,
      slice: found(shown, 'slice', sliceId),
      slivers: await store.read.slivers(tx, { sliceIds: [sliceId] }),
      ...(admission.warnings.length === 0 ? {} : { warnings: [...admission.warnings] }),
    }
  })
}

/** Find the nodes whose slivers may have been made before their data was changed. */
async function findChangedData({ tx }: Change, sliceId: number): Promise<ReadonlySet<number>> {
  const rows = await tx
    .selectFrom('slivers')
    .select('node_id')
    .where('slice_id', '=', sliceId)
    .where('data_changed', '=', true)
    .execute()
  return new Set(rows.map((row) => row.node_id))
}

/** The most slivers that a refusal names. */
const maxLossesTold = 100

interface Request {
  readonly groupId: number
  readonly spec: SliceSpec
  readonly present: readonly Sliver[]
  /** The previous template of the slice. */
  readonly kept: KeptTemplate | null
}

/** Admit the nodes of a spec, and those that keep their sliver. */
async function admit(
  store: RegistryStore,
  change: Change,
  { groupId, spec, present, kept }: Request,
): Promise<{ admission: Admission; templateBefore: TemplateBefore | null }> {
  const { tx } = change
  const names = [...new Set([...spec.nodes, ...present.map(({ node }) => node.name)])]
  const nodes = await store.read.nodes(tx, { names })
  const templates = await store.read.templates(tx)
  await requireUsable(tx, { ...findTemplate(spec, { templates, kept }), groupId, kept })
  const whole = { ...spec, nodes: [...spec.nodes, ...keptNodes(spec, present, nodes)] }
  const resources = new Map(present.map((sliver) => [sliver.node.name, sliver.resources]))
  const known = { nodes, templates, kept, present: resources }
  const before = templates.find(({ id }) => id === kept?.id)
  return {
    admission: await admitOn(store, change, { ...known, spec: whole }),
    templateBefore:
      before === undefined
        ? null
        : { id: before.id, name: before.name, version: kept?.version ?? null },
  }
}

interface WantedSlice {
  readonly groupId: number
  readonly spec: SliceSpec
  readonly slice: Slice | undefined
  readonly admission: Admission
  /** The SHA-256 of its data archive; null: none. */
  readonly data: string | null
}

async function writeSlice(
  change: Change,
  { groupId, spec, slice, admission, data }: WantedSlice,
): Promise<number> {
  const values = {
    description: spec.description ?? slice?.description ?? '',
    set_state: spec.set_state ?? 'start',
    default_template_id: admission.template.id,
    default_template_version: admission.version.version,
    default_set_state: 'start' as const,
    default_resources: JSON.stringify(admission.resources),
    default_data_sha256: data,
  }
  if (slice === undefined)
    return insertSlice(change, { name: spec.name, group_id: groupId, properties: '{}', ...values })
  const same =
    slice.description === values.description &&
    slice.set_state === values.set_state &&
    slice.sliver_defaults.set_state === values.default_set_state &&
    slice.sliver_defaults.template?.id === values.default_template_id &&
    (slice.sliver_defaults.data_sha256 ?? null) === data &&
    slice.sliver_defaults.template_version === values.default_template_version &&
    isDeepStrictEqual(slice.sliver_defaults.resources, admission.resources)
  if (same) return slice.id
  await change.tx.updateTable('slices').set(values).where('id', '=', slice.id).execute()
  noteSlice(change, slice.id)
  return slice.id
}

interface SliverWriting {
  readonly changes: SliverChanges
  readonly resources: readonly ResourceRequest[]
}

async function writeSlivers(
  change: Change,
  sliceId: number,
  { changes: { added, removed, remade }, resources }: SliverWriting,
): Promise<void> {
  const promised = JSON.stringify(resources)
  if (added.length > 0)
    await insertSlivers(change, { sliceId, nodeIds: added, resources: promised })
  if (removed.length > 0) await removeSlivers(change, { sliceId, nodeIds: removed })
  if (remade.length > 0)
    await remakeSlivers(change, { sliceId, nodeIds: remade, resources: promised })
}
