import type { ResourceName } from '@community-lab/contract'
import type { Limits } from './limits.ts'

/** A resource of which a sliver requests more than is left. */
export interface Shortage {
  readonly resource: ResourceName
  readonly asked: number
  readonly free: number
}

/** The resources that are promised. CPU is a limit that slivers share, so it is not promised. Source: CONFINE, equal share per container. */
const counted = ['memory', 'disk', 'processes'] as const

/** The resources of a node, and what other slivers have of them. */
export interface Promises {
  /** What the node offers to all slivers together. */
  readonly offered: readonly { readonly name: ResourceName; readonly total: number }[]
  /** The limits of the other slivers. */
  readonly taken: readonly Limits[]
  /** The disk space that each sliver needs in addition to its request, in MiB, because the node keeps its samples for a while. */
  readonly samplesMiB: number
  /** The disk space by which templates exceed what the node reserves for them, in MiB. */
  readonly excessTemplatesMiB: number
}

/** Find a resource of which too little is left on the node; `null` when there is enough of all. */
export function findShortage(
  asked: Limits,
  { offered, taken, samplesMiB, excessTemplatesMiB }: Promises,
): Shortage | null {
  for (const resource of counted) {
    const isDisk = resource === 'disk'
    const besides = isDisk ? samplesMiB : 0
    const offer = offered.find(({ name }) => name === resource)?.total ?? 0
    const total = offer - (isDisk ? excessTemplatesMiB : 0)
    const free = taken.reduce((left, limits) => left - limits[resource] - besides, total - besides)
    if (asked[resource] > free) return { resource, asked: asked[resource], free: Math.max(0, free) }
  }
  return null
}

/** Return the lowest number that no sliver has; `null` when all are taken. */
export function freeNumber(taken: ReadonlySet<number>, most: number): number | null {
  for (let nr = 1; nr <= most; nr++) if (!taken.has(nr)) return nr
  return null
}
