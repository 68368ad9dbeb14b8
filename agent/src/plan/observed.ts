import type { ActualInterface, MemberError, SliverTarget } from '@community-lab/contract'

/** The stage of a sliver on this node. Each stage includes the earlier ones. */
export type SliverStage = 'registered' | 'allocated' | 'deployed' | 'started'

/** The actual state of a sliver on this node, read from its folder and the runtime, never from memory alone. */
export interface SliverStatus {
  /** `slice@node`. */
  readonly id: string
  /** Its number on the node, 1 to 125, from which its host interfaces and user ids are computed. */
  readonly nr: number
  readonly stage: SliverStage
  readonly sliceInstanceSn: number
  readonly instanceSn: number
  /** The target with which it was allocated; null when that is unknown. */
  readonly configuration: SliverTarget | null
  /** The SHA-256 of the template from which it was deployed; null before that. */
  readonly templateSha256: string | null
  /** Its authorized SSH keys, as last written. */
  readonly sshAuthorizedKeys: readonly string[]
  readonly interfaces: readonly ActualInterface[]
  /** The public part of its SSH host key, `ssh-ed25519 AAAA…`; null before it is deployed. */
  readonly sshHostKey: string | null
  /** The time of its start, RFC 3339, UTC; null when it does not run. */
  readonly startedOn: string | null
  /** The pid of its first process on the host; null when it does not run. */
  readonly pid: number | null
  /** Its cgroup folders by controller (`memory`, `cpu`, `pids`), or `unified`; empty when cgroups cannot be used. */
  readonly cgroups: Readonly<Record<string, string>>
  /** Whether an earlier agent has started it with other system calls, capabilities, mounts or process limits than this agent would. */
  readonly hasOtherProtection: boolean
  /** The reason when it has ended by itself; otherwise null. */
  readonly ended: MemberError | null
}

/** A sliver whose record cannot be read. Its files are kept unchanged; its processes, if any, can be ended. */
export interface UnreadableSliver {
  readonly id: string
  /** What is wrong, where the record is kept, and whether the sliver runs. */
  readonly error: MemberError
  /** The pid of its first process on the host; null when it does not run. */
  readonly pid: number | null
}
