import { backoffMs, type MemberError, type SliverTarget } from '@community-lab/contract'
import type { SliverStep } from './step.ts'
import type { NodeWanted } from './wanted.ts'

/** A sliver's last failed step, and when it is tried again. */
export interface Failure {
  readonly step: SliverStep['kind']
  readonly error: MemberError
  /** How often in a row, this one included. */
  readonly attempts: number
  /** Not before, in milliseconds of a clock that only grows. */
  readonly retryAtMs: number
  /** What was wanted when it failed: anything else is tried at once. */
  readonly wanted: string
  /** When the same step worked again; null while it has not. Kept, so that a sliver that starts only to end again waits longer each time. */
  readonly healedAtMs: number | null
}

/** Failures by sliver id. */
export type Failures = ReadonlyMap<string, Failure>

const backoff = { firstMs: 1_000, longestMs: 300_000 }
/** How long it must go well until an earlier failure is forgotten, in milliseconds. */
const forgottenAfterMs = 60_000

/** Write what is wanted of a sliver on this node as a text, so that it can be compared. */
export function describeWanted(node: NodeWanted['node'], target: SliverTarget | undefined): string {
  return JSON.stringify([node.set_state, target ?? null])
}

/** Note that a step has failed: it waits 1 s at first, then twice as long each time, to 5 minutes. */
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

/** Note that what had failed works. */
export function noteSuccess(failure: Failure, nowMs: number): Failure {
  return { ...failure, healedAtMs: nowMs }
}

/** Tell whether a failure still stands: not healed, and for what is wanted now. */
export function stands(failure: Failure | undefined, wanted: string): failure is Failure {
  return failure?.healedAtMs === null && failure.wanted === wanted
}

/** When the next waiting sliver is to be tried again, in milliseconds; null when none waits. */
export function nextRetryAtMs(failures: Failures, nowMs: number): number | null {
  const waiting = [...failures.values()]
    .filter((failure) => failure.healedAtMs === null && failure.retryAtMs > nowMs)
    .map((failure) => failure.retryAtMs)
  return waiting.length === 0 ? null : Math.min(...waiting)
}
