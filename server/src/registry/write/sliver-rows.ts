import { sql } from 'kysely'
import { sliverId, type SliceSetState } from '@community-lab/contract'
import type { Change } from '../change.ts'
import { endPartsOf } from './run-parts.ts'

/** Slivers of one slice. */
export interface SliverPlaces {
  readonly sliceId: number
  readonly nodeIds: readonly number[]
}

/** What new slivers have in common. */
export interface NewSlivers extends SliverPlaces {
  /** A JSON list of the resources of each sliver. */
  readonly resources: string
  readonly description?: string
  readonly setState?: SliceSetState | null
  /** A JSON object. */
  readonly properties?: string
  /** The data archive of these slivers; null, the default: that of the slice. */
  readonly dataSha256?: string | null
}

/**
 * Add slivers. The number of statements does not depend on the number of slivers. Each starts at the slice's `sliver_defaults.instance_sn`, which is above that
 * of every sliver that was removed. So a node can tell a sliver that was removed and added again from the one before. Source: CONFINE.
 */
export async function insertSlivers(change: Change, slivers: NewSlivers): Promise<void> {
  const { sliceId, nodeIds, resources } = slivers
  const { description = '', setState = null, properties = '{}', dataSha256 = null } = slivers
  await sql`
    insert into slivers
      (slice_id, node_id, description, set_state, instance_sn, properties, resources, data_sha256,
        state)
    select slices.id, wanted.id, ${description}, ${setState}, slices.default_instance_sn,
      ${properties}::jsonb, ${resources}::jsonb, ${dataSha256}, 'unknown'
    from slices, unnest(${nodeIds}::int[]) as wanted (id)
    where slices.id = ${sliceId}`.execute(change.tx)
  noteSlivers(change, slivers, 'created')
}

/** Remove slivers. Slivers that are added to the same nodes later have a higher `instance_sn`. */
export async function removeSlivers(change: Change, slivers: SliverPlaces): Promise<void> {
  const { sliceId, nodeIds } = slivers
  await sql`
    with removed as (
      delete from slivers where slice_id = ${sliceId} and node_id = any(${nodeIds}::int[])
      returning instance_sn)
    update slices set default_instance_sn = greatest(
      default_instance_sn, (select max(instance_sn) + 1 from removed))
    where id = ${sliceId}`.execute(change.tx)
  await endPartsOf(change, slivers)
  noteSlivers(change, slivers, 'deleted')
}

/**
 * Request that slivers are reset, once, and with other resources if these are given (a JSON list). The slice's `sliver_defaults.instance_sn` increases
 * with theirs. Source: CONFINE, sliver update.
 */
export async function remakeSlivers(
  change: Change,
  slivers: SliverPlaces & { readonly resources?: string },
): Promise<void> {
  const { sliceId, nodeIds, resources = null } = slivers
  await sql`
    with remade as (
      update slivers set
        instance_sn = instance_sn + 1,
        data_changed = false,
        resources = coalesce(${resources}::jsonb, resources)
      where slice_id = ${sliceId} and node_id = any(${nodeIds}::int[])
      returning instance_sn)
    update slices set default_instance_sn = greatest(
      default_instance_sn + 1, (select max(instance_sn) from remade))
    where id = ${sliceId}`.execute(change.tx)
  noteSlivers(change, slivers, 'updated')
}

function noteSlivers(
  change: Change,
  { sliceId, nodeIds }: SliverPlaces,
  action: 'created' | 'updated' | 'deleted',
): void {
  if (nodeIds.length === 0) return
  change.note('slice', 'updated', sliceId)
  for (const nodeId of nodeIds) {
    change.note('sliver', action, sliverId(sliceId, nodeId))
    // A node object contains its slivers and its free resources.
    change.note('node', 'updated', nodeId)
    change.target(nodeId)
  }
}
