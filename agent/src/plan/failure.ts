import { backoffMs, type MemberError, type SliverTarget } from '@community-lab/contract'
import type { SliverStep } from './step.ts'
import type { NodeWanted } from './wanted.ts'

/** A sliver's last failed step, with the time of the next attempt. */
export interface Failure {
  readonly step: SliverStep['kind']
  readonly error: MemberError
  /** The number of failures in a row, including this one. */
  readonly attempts: number
  /** The earliest time of the next attempt, in milliseconds of a monotonic clock. */
  readonly retryAtMs: number
  /** The target at the time of the failure. With any other target, there is no delay. */
  readonly wanted: string
  /**
   * When the same step has succeeded again; null while it has not. The failure is kept, so that a sliver that ends soon after each start waits longer each
   * time.
   */
  readonly healedAtMs: number | null
}

/** Failures by sliver id. */
export type Failures = ReadonlyMap<string, Failure>

const backoff = { firstMs: 1_000, longestMs: 300_000 }
/** How long after success an earlier failure counts, in milliseconds. */
const forgottenAfterMs = 60_000

/** Serialize the target of a sliver on this node, for comparison. */
export function describeWanted(node: NodeWanted['node'], target: SliverTarget | undefined): string {
  return JSON.stringify([node.set_state, target ?? null])
}

/** Record that a step has failed. The delay is 1 s at first, then it doubles up to 5 minutes. */
export function noteFailure(
  previous: Failure | undefined,
  failed: Pick<Failure, 'step' | 'error' | 'wanted'>,
  nowMs: number,
): Failure {
  const inRow =
    previous?.wanted === failed.wanted &&
    (previous.healedAtMs === null || nowMs - previous.healedAtMs < forgottenAfterMs)
  const attempts = inRow ? previous.attempts + 1 : 1
  return { ...failed, attempts, retryAtMs: nowMs + backoffMs(backoff, attempts), healedAtMs: null }
}

/** Record that a failed step has succeeded. */
export function noteSuccess(failure: Failure, nowMs: number): Failure {
  return { ...failure, healedAtMs: nowMs }
}

/** Tell whether a failure still counts: it is not healed, and the target is the same. */
export function stands(failure: Failure | undefined, wanted: string): failure is Failure {
  return failure?.healedAtMs === null && failure.wanted === wanted
}

/** Return the time of the next attempt of any waiting sliver, in milliseconds; null when none waits. */
export function nextRetryAtMs(failures: Failures, nowMs: number): number | null {
  const waiting = [...failures.values()]
    .filter((failure) => failure.healedAtMs === null && failure.retryAtMs > nowMs)
    .map((failure) => failure.retryAtMs)
  return waiting.length === 0 ? null : Math.min(...waiting)
}
