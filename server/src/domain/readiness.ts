import { isFailed, type SliverState } from '@community-lab/contract'
import type { ProbeResult } from './probe.ts'

/** A sliver that a node could not make or start. */
export interface DeployFailure {
  readonly slice_id: number
  readonly slice: string
  /** The slice's group. */
  readonly group_id: number
  /** Whether nothing of the sliver is its group's own: its template is public, so that slices of other groups use it, too, and it has no data archive. */
  readonly is_public: boolean
  readonly state: SliverState
  readonly message: string
}

/** The latest slivers in a row that a node could not make, one of each slice. */
export interface Readiness {
  readonly failures: readonly DeployFailure[]
  /** Since when the node does not count as ready, RFC 3339; null: it does. */
  readonly since: string | null
}

/** A sliver whose state has changed. */
export interface Outcome extends DeployFailure {
  readonly before: SliverState
}

/**
 * After so many slices in a row whose slivers failed, a node is not ready. One or two may have failed by their own fault, such as a template that does not start;
 * with three of them the node is the likely cause. Three slices of one group with templates or data of its own may all have the same fault, so a probe decides then.
 */
export const failuresUntilNotReady = 3

/** A node of which no failure is known. */
export const readyNode: Readiness = { failures: [], since: null }

/**
 * Return the readiness of a node after changes of its slivers. A sliver that starts is a success, and makes the node ready again.
 */
export function noteOutcomes(
  before: Readiness,
  outcomes: readonly Outcome[],
  now: Date,
): Readiness {
  if (outcomes.some(({ state, before: last }) => state === 'started' && last !== 'started'))
    return readyNode
  const failed = outcomes.filter(({ state, before: last }) => isFailed(state) && state !== last)
  if (failed.length === 0) return before
  const failures = [...before.failures, ...failed.map(({ before: _last, ...failure }) => failure)]
  const latest = [...new Map(failures.map((one) => [one.slice_id, one])).values()]
  return {
    failures: latest.slice(-failuresUntilNotReady),
    since: before.since ?? (isCausedByNode(latest) ? now.toISOString() : null),
  }
}

/** Tell whether the node is the likely cause of failures, one of each slice. */
function isCausedByNode(failures: readonly DeployFailure[]): boolean {
  if (failures.length < failuresUntilNotReady) return false
  const groups = new Set(failures.map(({ group_id: id }) => id))
  const last = failures.slice(-failuresUntilNotReady)
  return groups.size > 1 || last.every(({ is_public: isPublic }) => isPublic)
}

/**
 * Tell whether a node is to make a probe: it is not ready, or it may not be. Its failed slivers are tried again, too, but they may fail by their own fault, be
 * removed, or not be wanted any more; and slices of one group with templates of its own leave open whose fault it is.
 */
export function wantsProbe({ failures, since }: Readiness): boolean {
  return since !== null || failures.length >= failuresUntilNotReady
}

/** Return the readiness of a node after its probe. A probe decides where the failures of slivers leave open whose fault they are. */
export function noteProbe(before: Readiness, probe: ProbeResult, now: Date): Readiness {
  if (!wantsProbe(before) || probe === 'nothing') return before
  if (probe === 'works') return readyNode
  return { ...before, since: before.since ?? now.toISOString() }
}

/** Describe why a node is not ready. */
export function describeFailures({ failures }: Readiness): string {
  const each = failures.map(({ slice, state, message }) => `${slice} (${state}: ${message})`)
  return `the slivers of ${failures.length} slices in a row failed on it: ${each.join('; ')}`
}
