import type { SliceSetState, SliverTarget } from '@community-lab/contract'
import { awaitsReboot, type Boot } from './boot.ts'
import { withDeployed } from './deployed.ts'
import { describeWanted, stands, type Failures } from './failure.ts'
import type { SliverStatus, UnreadableSliver } from './observed.ts'
import type { RemoveReason, SliverStep, Step, StopReason } from './step.ts'
import { heldSlivers, type NodeWanted } from './wanted.ts'

/** The input of a plan. */
export interface Situation {
  readonly target: NodeWanted
  readonly current: Current
  readonly failures: Failures
  /** The current time in milliseconds, on the same clock as that of the failures. */
  readonly nowMs: number
}

/** The current state of this node. */
export interface Current {
  readonly slivers: readonly SliverStatus[]
  /** Slivers whose records cannot be read. Their files are kept, and they can only be stopped. */
  readonly unreadable: readonly UnreadableSliver[]
  readonly boot: Boot
  /** Tell whether the host is being rebooted. Then slivers are not restarted, because they end with the host. */
  readonly isRebooting: boolean
}

/**
 * Plan the steps from the current state to the target state. The steps of one sliver are in order; slivers do not wait for each other. After the steps were
 * executed, a new plan is empty. A sliver whose last step failed gets no steps until its retry time, or until its target changes.
 *
 * Source: CONFINE node, its sliver states and node states: `production` changes slivers; `safe` stops them, keeps their data, and ignores all other targets;
 * `debug` and `failure` remove them. Another `slice_instance_sn` (reset) deploys a sliver again with the configuration with which it was allocated; another
 * `instance_sn` (update) makes it again as it is wanted now. Both may also be smaller, because a server that was restored from a backup counts from an earlier
 * number.
 */
export function plan(situation: Situation): Step[] {
  const { target, current, failures, nowMs } = situation
  if (target.node.boot_sn !== current.boot.bootSn)
    return [{ kind: 'reboot', bootSn: target.node.boot_sn }]
  const targets = new Map(target.slivers.map((sliver) => [sliver.id, sliver]))
  const statuses = new Map(current.slivers.map((sliver) => [sliver.id, sliver]))
  const unreadable = new Map(current.unreadable.map((sliver) => [sliver.id, sliver]))
  const held = target.node.set_state === 'production' ? heldSlivers(target) : new Set<string>()
  // Slivers without a target come first, because removing them frees resources.
  const ids = [
    ...[...statuses.keys(), ...unreadable.keys()].filter((id) => !targets.has(id)),
    ...target.slivers.map((sliver) => sliver.id),
  ].filter((id) => !held.has(id))
  return ids.flatMap((id) => {
    const wanted = targets.get(id)
    const failure = failures.get(id)
    const waits = stands(failure, describeWanted(target.node, wanted)) && nowMs < failure.retryAtMs
    if (waits) return []
    const kept = unreadable.get(id)
    return kept === undefined
      ? planSliver(target, wanted, { status: statuses.get(id), current })
      : planUnreadable(target.node, wanted, kept)
  })
}

interface Actual {
  readonly status: SliverStatus | undefined
  readonly current: Current
}

/** Plan for a sliver whose record cannot be read: it is stopped when it must not run, and otherwise left alone. */
function planUnreadable(
  node: NodeWanted['node'],
  target: SliverTarget | undefined,
  { id, pid }: UnreadableSliver,
): SliverStep[] {
  const inProduction = node.set_state === 'production'
  if (pid === null || (inProduction && target?.set_state === 'start')) return []
  const why: StopReason = inProduction ? 'set_state' : 'node_state'
  return [{ kind: 'stop', id, why }]
}

function planSliver(
  { node, sliverMacPrefix }: NodeWanted,
  target: SliverTarget | undefined,
  { status, current }: Actual,
): SliverStep[] {
  switch (node.set_state) {
    case 'debug':
    case 'failure':
      return removeIfThere(status, 'node_state')
    case 'safe':
      return status?.stage === 'started' ? [{ kind: 'stop', id: status.id, why: 'node_state' }] : []
    case 'production': {
      if (target === undefined) return removeIfThere(status, 'released')
      if (target.set_state === 'register') return removeIfThere(status, 'set_state')
      if (status === undefined || status.stage === 'registered')
        return make(target, sliverMacPrefix)
      if (target.instance_sn !== status.instanceSn)
        return [...removeIfThere(status, 'update'), ...make(target, sliverMacPrefix)]
      return settle(withDeployed(target, status), status, current)
    }
  }
}

function settle(
  target: SliverTarget,
  status: SliverStatus,
  { boot, isRebooting }: Current,
): SliverStep[] {
  const { id, slice_instance_sn: sliceInstanceSn } = target
  if (sliceInstanceSn !== status.sliceInstanceSn)
    return [{ kind: 'undeploy', id, sliceInstanceSn }, ...raise(target, undefined)]
  if (status.stage === 'started' && target.set_state === 'deploy')
    return [{ kind: 'stop', id, why: 'set_state' }, ...authorizeIfChanged(target, status)]
  if (awaitsReboot(boot, status) && !isRebooting)
    return [
      { kind: 'stop', id, why: 'reboot' },
      ...authorizeIfChanged(target, status),
      { kind: 'start', id, target },
    ]
  return raise(target, status)
}

/** Plan the steps that create a sliver that is not on this node. */
function make(target: SliverTarget, sliverMacPrefix: number): SliverStep[] {
  const allocate = { kind: 'allocate', id: target.id, target, sliverMacPrefix } as const
  return [allocate, ...raise(target, undefined)]
}

/**
 * Plan the steps that bring a sliver on this node up from its current stage to its target. Deploying writes its keys. For a sliver that is deployed already,
 * changed keys are a step of their own, before its start.
 */
function raise(target: SliverTarget, status: SliverStatus | undefined): SliverStep[] {
  const { id } = target
  const stage = status?.stage ?? 'allocated'
  const steps: SliverStep[] = []
  if (stage === 'allocated') steps.push({ kind: 'deploy', id, target })
  else if (status) steps.push(...authorizeIfChanged(target, status))
  if (stage !== 'started' && wantsStart(target.set_state)) steps.push({ kind: 'start', id, target })
  return steps
}

function wantsStart(setState: SliceSetState): boolean {
  return setState === 'start'
}

function authorizeIfChanged(target: SliverTarget, status: SliverStatus): SliverStep[] {
  const wanted = target.ssh_authorized_keys
  const same =
    wanted.length === status.sshAuthorizedKeys.length &&
    wanted.every((key, index) => key === status.sshAuthorizedKeys[index])
  return same ? [] : [{ kind: 'authorize', id: target.id, sshAuthorizedKeys: wanted }]
}

function removeIfThere(status: SliverStatus | undefined, why: RemoveReason): SliverStep[] {
  return status === undefined ? [] : [{ kind: 'remove', id: status.id, why }]
}
