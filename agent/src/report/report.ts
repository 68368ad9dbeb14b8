import {
  LabError,
  type Arch,
  type Capabilities,
  type MemberError,
  type NodeLending,
  type NodeReport,
  type NodeReportedState,
  type RunReport,
  type SliverReport,
  type SliverState,
  type SliverTarget,
} from '@community-lab/contract'
import { describeWanted, stands, type Failure, type Failures } from '../plan/failure.ts'
import type { Current } from '../plan/plan.ts'
import type { NodeWanted } from '../plan/wanted.ts'
import { boundErrors, boundSentence } from './bounds.ts'

/** A resource as a node reports it. */
export type ReportedResource = NodeReport['resources'][number]

/** The most entries of a report. Source: the contract's NodeReport, which allows 200 slivers and 100 errors; a reader needs fewer errors. */
const maxSlivers = 200
const maxNodeErrors = 50
const maxSliverErrors = 20

/** The facts that a node reports about itself. */
export interface NodeFacts {
  readonly softVersion: string
  readonly arch: Arch
  readonly publicPrefix: string | null
  /** The capabilities from the last probe. */
  readonly capabilities: Capabilities
}

/** The input of a report. */
export interface ReportSources {
  readonly facts: NodeFacts
  /** The target of the node, if it is known. */
  readonly target: NodeWanted | null
  readonly current: Current
  readonly failures: Failures
  readonly resources: readonly ReportedResource[]
  readonly lending: NodeLending
  readonly runs: readonly RunReport[]
  /** Errors of the node other than those of its slivers. */
  readonly errors: readonly MemberError[]
}

/** Make the report of this node and of all slivers that are on it or in its target. Source for the states: CONFINE's node API. */
export function report(sources: ReportSources): NodeReport {
  const { facts, target, current, failures } = sources
  const targets = new Map((target?.slivers ?? []).map((sliver) => [sliver.id, sliver]))
  const present = new Map(current.slivers.map((status) => [status.id, status]))
  const unreadable = new Map(current.unreadable.map((sliver) => [sliver.id, sliver.error]))
  const notices = Map.groupBy(target?.notices ?? [], ({ sliver }) => sliver)
  // Slivers that are on the node come first: a report has room for a bounded number of slivers.
  const all = [...present.keys(), ...unreadable.keys(), ...targets.keys(), ...notices.keys()]
  const ids = [...new Set(all)]
  return {
    state: nodeState(target, facts.capabilities),
    soft_version: facts.softVersion,
    arch: facts.arch,
    boot_sn: current.boot.bootSn,
    public_prefix: facts.publicPrefix,
    capabilities: { ...facts.capabilities, lacks: facts.capabilities.lacks.map(boundSentence) },
    resources: [...sources.resources],
    lending: sources.lending,
    runs: [...sources.runs],
    errors: boundErrors(
      [
        ...capabilityErrors(facts.capabilities),
        ...otherProtection(target, current),
        ...unreported(ids.length - maxSlivers),
        ...(target?.nodeNotices ?? []),
        ...sources.errors,
      ],
      maxNodeErrors,
    ),
    slivers: ids.slice(0, maxSlivers).map((id) => {
      const wanted = targets.get(id)
      const failure = failures.get(id)
      const standing =
        target !== null && stands(failure, describeWanted(target.node, wanted)) ? failure : null
      const noticed = (notices.get(id) ?? []).map(({ error }) => error)
      const fault = unreadable.get(id) ?? null
      return reportSliver(id, {
        target,
        wanted,
        status: present.get(id),
        failure: standing,
        fault,
        noticed,
      })
    }),
  }
}

function nodeState(target: NodeWanted | null, capabilities: Capabilities): NodeReportedState {
  const wanted = target?.node.set_state ?? 'safe'
  return wanted === 'production' && !hasRuntime(capabilities) ? 'safe' : wanted
}

function hasRuntime(capabilities: Capabilities): boolean {
  return capabilities.runtime !== 'none'
}

function capabilityErrors(capabilities: Capabilities): MemberError[] {
  const errors: MemberError[] = []
  if (!hasRuntime(capabilities))
    errors.push({
      member: '/capabilities/runtime',
      message: `no OCI runtime works here, so no sliver can run: ${capabilities.lacks.join('; ') || 'install crun or runc'}`,
    })
  else if (!capabilities.limits)
    errors.push({
      member: '/capabilities/limits',
      message: 'memory, process and CPU limits do not hold here: no cgroup is usable',
    })
  return errors
}

interface SliverSources extends Pick<ReportSources, 'target'> {
  readonly wanted: SliverTarget | undefined
  readonly status: Current['slivers'][number] | undefined
  readonly failure: Failure | null
  /** Why its record cannot be read; null when it can be read. */
  readonly fault: MemberError | null
  /** The parts of its target that this agent does not understand. */
  readonly noticed: readonly MemberError[]
}

function reportSliver(id: string, sources: SliverSources): SliverReport {
  const { target, wanted, status, failure, fault, noticed } = sources
  const own = fault ?? failure?.error ?? status?.ended ?? null
  const protection = otherProtection(target, { slivers: status === undefined ? [] : [status] })
  const errors = [...(own === null ? [] : [own]), ...protection, ...noticed]
  return {
    id,
    nr: status?.nr ?? null,
    state: fault ? 'fail_allocate' : sliverState(status?.stage ?? 'registered', failure),
    slice_instance_sn: status?.sliceInstanceSn ?? wanted?.slice_instance_sn ?? 0,
    instance_sn: status?.instanceSn ?? wanted?.instance_sn ?? 0,
    interfaces: [...(status?.interfaces ?? [])],
    ssh_host_key: status?.sshHostKey ?? null,
    started_on: status?.startedOn ?? null,
    ...(status?.configuration == null
      ? {}
      : { data_sha256: status.configuration.data?.sha256 ?? null }),
    errors: boundErrors(errors, maxSliverErrors),
  }
}

/** Report slivers whose protection differs from that of this agent. */
function otherProtection(
  target: NodeWanted | null,
  { slivers: all }: Pick<Current, 'slivers'>,
): MemberError[] {
  const slivers = all.filter((one) => one.hasOtherProtection).map(({ id }) => id)
  if (slivers.length === 0) return []
  const node = target?.node.name ?? 'NODE'
  const { message } = new LabError('LAB_SLIVER_OTHER_PROTECTION', { slivers, node })
  return [{ member: '', message }]
}

function unreported(count: number): MemberError[] {
  if (count <= 0) return []
  return [{ member: '/slivers', message: `${count} more slivers are not in this report` }]
}

function sliverState(
  stage: Current['slivers'][number]['stage'],
  failure: Failure | null,
): SliverState {
  switch (failure?.step) {
    case 'allocate':
      return 'fail_allocate'
    case 'deploy':
      return 'fail_deploy'
    case 'start':
      return 'fail_start'
    default:
      return stage
  }
}
