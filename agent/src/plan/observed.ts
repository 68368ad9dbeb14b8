import type { ActualInterface, MemberError } from '@community-lab/contract'

/** How far a sliver has come on this node; each step keeps what the one before made. */
export type SliverStage = 'registered' | 'allocated' | 'deployed' | 'started'

/** A sliver as it is on this node, read from its folder and the runtime, never from memory alone. */
export interface SliverStatus {
  /** `slice@node`. */
  readonly id: string
  /** The node-local number, 1 to 125, that its host interfaces and user ids are computed from. */
  readonly nr: number
  readonly stage: SliverStage
  readonly sliceInstanceSn: number
  readonly instanceSn: number
  /** SHA-256 of the template that it was deployed from; null before. */
  readonly templateSha256: string | null
  /** The SSH keys that it lets in, as last written. */
  readonly sshAuthorizedKeys: readonly string[]
  readonly interfaces: readonly ActualInterface[]
  /** The public half of its SSH host key, `ssh-ed25519 AAAA…`; null before it is deployed. */
  readonly sshHostKey: string | null
  /** RFC 3339, UTC; null when it does not run. */
  readonly startedOn: string | null
  /** Its first process, as the host sees it; null when it does not run. */
  readonly pid: number | null
  /** Its cgroup folders by controller (`memory`, `cpu`, `pids`), or `unified`; empty where cgroups cannot be used. */
  readonly cgroups: Readonly<Record<string, string>>
  /** Whether it runs with other system calls, capabilities, mounts or limits of its processes than this agent gives: an earlier agent started it. */
  readonly hasOtherProtection: boolean
  /** Set when it ran and ended by itself: why. */
  readonly ended: MemberError | null
}

/** A sliver whose record cannot be read. Its files are kept as they are; its processes, if there are any, can be ended. */
export interface UnreadableSliver {
  readonly id: string
  /** What is wrong, where it is kept, and whether it runs. */
  readonly error: MemberError
  /** Its first process, as the host sees it; null when it does not run. */
  readonly pid: number | null
}
