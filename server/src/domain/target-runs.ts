import type { RunTarget } from '@community-lab/contract'

/** The most characters of runs in the target of one node, as JSON. An agent reads no target above 8 MiB, and then follows no change at all. */
export const maxTargetRunCharacters = 4 * 1024 * 1024

/**
 * Return the first runs, in their order, that a target has room for. The others wait until some of these have ended. Runs come in the order in which they were made, and none is
 * ever made before another. So a run that a node has got stays in its target until it has ended, because a node ends a run that its target does not have.
 */
export function boundTargetRuns(
  runs: readonly RunTarget[],
  most = maxTargetRunCharacters,
): readonly RunTarget[] {
  let left = most
  const beyond = runs.findIndex((run) => {
    left -= JSON.stringify(run).length
    return left < 0
  })
  return beyond < 0 ? runs : runs.slice(0, beyond)
}
