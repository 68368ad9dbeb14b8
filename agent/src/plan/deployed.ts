import type { SliverTarget } from '@community-lab/contract'
import type { SliverStatus } from './observed.ts'

/**
 * Return the target of a sliver as it counts now. The configuration of a sliver that is on the node is the one with which it was allocated, until its
 * `instance_sn` is another: what was edited since then (its template, data, interfaces, limits) waits for that. Its state, its keys and the request to reset
 * it count at once. Source: CONFINE node, `reset` and `update`.
 */
export function withDeployed(
  target: SliverTarget,
  { instanceSn, configuration }: Pick<SliverStatus, 'instanceSn' | 'configuration'>,
): SliverTarget {
  // Earlier versions of the agent noted no configuration. Their servers allowed no edit without an update.
  if (configuration === null || target.instance_sn !== instanceSn) return target
  const { set_state, slice_instance_sn, ssh_authorized_keys } = target
  return { ...configuration, set_state, slice_instance_sn, ssh_authorized_keys }
}
