import {
  LabError,
  quotaNames,
  quotaUnits,
  type Quotas,
  type ResourceRequest,
} from '@community-lab/contract'
import { promisedOf } from './promised.ts'

/** The use of quotas by one slice. */
export interface SliceUse {
  readonly slice: string
  readonly use: Quotas
}

/** The input of {@link checkQuotas}. */
export interface QuotaCheck {
  readonly group: string
  /** The slice that would grow. */
  readonly slice: string
  readonly quotas: Quotas
  /** The use of all slices of the group, the growing one included. */
  readonly uses: readonly SliceUse[]
  /** By how much each use would grow; it may be negative. */
  readonly growth: Quotas
}

/** The most slices that a refusal names. */
const mostSlicesNamed = 3

/**
 * Check that a group stays within its quotas. A use that does not grow is never refused, even if it exceeds a quota that operators have lowered.
 *
 * @throws {@link LabError} LAB_GROUP_QUOTA, with the slices that use most.
 */
export function checkQuotas({ group, slice, quotas, uses, growth }: QuotaCheck): void {
  const used = sumOf(uses.map(({ use }) => use))
  for (const name of quotaNames) {
    if (growth[name] <= 0 || used[name] + growth[name] <= quotas[name]) continue
    throw new LabError('LAB_GROUP_QUOTA', {
      group,
      slice,
      quota: name,
      unit: quotaUnits[name],
      limit: quotas[name],
      used: used[name],
      asked: growth[name],
      slices:
        name === 'slices'
          ? []
          : uses
              .map((each) => ({ slice: each.slice, used: each.use[name] }))
              .filter((each) => each.used > 0)
              .toSorted((a, b) => b.used - a.used)
              .slice(0, mostSlicesNamed),
    })
  }
}

/** Return the use of a slice whose slivers have these resources, one list for each sliver. */
export function useOf(slivers: readonly (readonly ResourceRequest[])[]): Quotas {
  const sum = (resource: 'memory' | 'disk'): number =>
    slivers.reduce((all, resources) => all + promisedOf(resources, resource), 0)
  return { slices: 1, slivers: slivers.length, memory_mib: sum('memory'), disk_mib: sum('disk') }
}

/** No use at all, as of a slice that does not exist yet. */
export const noUse: Quotas = { slices: 0, slivers: 0, memory_mib: 0, disk_mib: 0 }

/** Return by how much `after` exceeds `before`. */
export function growthOf(before: Quotas, after: Quotas): Quotas {
  return {
    slices: after.slices - before.slices,
    slivers: after.slivers - before.slivers,
    memory_mib: after.memory_mib - before.memory_mib,
    disk_mib: after.disk_mib - before.disk_mib,
  }
}

/** Add uses. */
export function sumOf(uses: readonly Quotas[]): Quotas {
  return uses.reduce(
    (sum, use) => ({
      slices: sum.slices + use.slices,
      slivers: sum.slivers + use.slivers,
      memory_mib: sum.memory_mib + use.memory_mib,
      disk_mib: sum.disk_mib + use.disk_mib,
    }),
    noUse,
  )
}
