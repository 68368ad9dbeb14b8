import type { SliverTarget } from '@community-lab/contract'

/** The arguments of each kind of step. The types of steps and of the table of executors are derived from it, so a new kind compiles only with an executor. */
export interface StepArguments {
  /** Note the reboot that `boot_sn` asks for, and begin it. Where the host does not reboot, the slivers that run now are restarted. */
  reboot: { readonly bootSn: number }
  /** Reserve its number, folder, disk and addresses. */
  allocate: {
    readonly id: string
    readonly target: SliverTarget
    readonly sliverMacPrefix: number
  }
  /** Make its root from its template. */
  deploy: { readonly id: string; readonly target: SliverTarget }
  /** Run it. */
  start: { readonly id: string; readonly target: SliverTarget }
  /** Write its authorized SSH keys. */
  authorize: { readonly id: string; readonly sshAuthorizedKeys: readonly string[] }
  /** End its processes. Its files are kept. */
  stop: { readonly id: string; readonly why: StopReason }
  /** End its processes, and remove what was deployed. Its number, addresses and limits stay. */
  undeploy: { readonly id: string; readonly sliceInstanceSn: number }
  /** Remove it completely. */
  remove: { readonly id: string; readonly why: RemoveReason }
}

/** Why a sliver is stopped. */
export type StopReason = 'set_state' | 'node_state' | 'reboot'
/** Why a sliver is removed: it has no target any more; it is made again with another configuration (CONFINE's update); the node is out of service. */
export type RemoveReason = 'released' | 'set_state' | 'update' | 'node_state'

export type StepKind = keyof StepArguments
/** The steps of some kinds. */
export type StepOf<K extends StepKind> = { [P in K]: { readonly kind: P } & StepArguments[P] }[K]
/** A step, as data. */
export type Step = StepOf<StepKind>
/** Tell whether a step ends a sliver's processes. Such a step frees resources, so it waits for no other sliver. */
export function endsSliver({ kind }: { readonly kind: StepKind }): boolean {
  return kind === 'stop' || kind === 'undeploy' || kind === 'remove'
}

/** A step for one sliver. */
export type SliverStep = StepOf<Exclude<StepKind, 'reboot'>>
