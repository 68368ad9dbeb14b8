import { isFailed, type SliverState } from '@community-lab/contract'

/** A sliver that a node could not make or start. */
export interface DeployFailure {
  readonly slice_id: number
  readonly slice: string
  /** The slice's group. */
  readonly group_id: number
  /** Whether the sliver's template is public, so that slices of other groups use it, too. */
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
 * with three of them the node is the likely cause. Three slices of one group with templates of its own may all have the same fault, so they say nothing about the node.
 */
export const failuresUntilNotReady = 3

/** A node of which no failure is known. */
export const readyNode: Readiness = { failures: [], since: null }

/**
 * Return the readiness of a node after changes of its slivers. A sliver that starts is a success, and makes the node ready again. The slivers that failed are
 * tried again every few minutes, so a node that was repaired shows it by itself.
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
 * Return the readiness of a node that has slivers of these slices. When none is left of the slivers that failed, nothing tries them again. So the node counts as
 * ready until the next slice, and if that fails, too, it does not any more.
 */
export function withoutRemoved(before: Readiness, sliceIds: ReadonlySet<number>): Readiness {
  const isTried = before.failures.some(({ slice_id: id }) => sliceIds.has(id))
  if (before.since === null || isTried) return before
  return { failures: before.failures.slice(1 - failuresUntilNotReady), since: null }
}

/** Describe why a node is not ready. */
export function describeFailures({ failures }: Readiness): string {
  const each = failures.map(({ slice, state, message }) => `${slice} (${state}: ${message})`)
  return `the slivers of ${failures.length} slices in a row failed on it: ${each.join('; ')}`
}
