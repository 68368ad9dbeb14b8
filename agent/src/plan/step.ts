import type { SliverTarget } from '@community-lab/contract'

/**
 * What each kind of step is given. The union of steps and the table of executors follow from this one map, so that a new kind does not compile until
 * something carries it out.
 */
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
  /** Write the SSH keys that it lets in. */
  authorize: { readonly id: string; readonly sshAuthorizedKeys: readonly string[] }
  /** End its processes, keep its files. */
  stop: { readonly id: string; readonly why: StopReason }
  /** Remove everything of it. */
  remove: { readonly id: string; readonly why: RemoveReason }
}

/** Why a sliver is stopped. */
export type StopReason = 'set_state' | 'node_state' | 'reboot'
/** Why a sliver is removed: nobody wants it; it is to be made again (CONFINE's reset and update); the node is out of service. */
export type RemoveReason = 'released' | 'set_state' | 'reset' | 'node_state'

export type StepKind = keyof StepArguments
/** The steps of some kinds. */
export type StepOf<K extends StepKind> = { [P in K]: { readonly kind: P } & StepArguments[P] }[K]
/** One thing to do, as data. */
export type Step = StepOf<StepKind>
/** Tell whether a step ends a sliver's processes: it gives room and frees the device, so it waits for no other sliver. */
export function endsSliver({ kind }: { readonly kind: StepKind }): boolean {
  return kind === 'stop' || kind === 'remove'
}

/** A step that concerns one sliver. */
export type SliverStep = StepOf<Exclude<StepKind, 'reboot'>>
