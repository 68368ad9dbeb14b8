import type {
  ActualInterface,
  Capabilities,
  MemberError,
  SliverTarget,
} from '@community-lab/contract'

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

/**
 * The slivers of this node: what the agent's executors call. Every step is idempotent, takes its time, and throws a LabError whose code tells what is
 * at fault; a step that throws leaves the stage as it was. Slivers outlive the agent: a new one finds them by {@link Slivers.list}.
 */
export interface Slivers {
  /** What the runtime and this host can do, as it was last found out. */
  readonly capabilities: Capabilities
  /** What was found changed on the host of late, and mended or not, for the node's report. */
  readonly problems: readonly MemberError[]
  /** All slivers on this node whose records can be read. */
  list(): Promise<readonly SliverStatus[]>
  /** The others. */
  unreadable(): Promise<readonly UnreadableSliver[]>
  /** Reserve its number, folder, disk and addresses: registered → allocated. Its MAC addresses begin with these 16 bits. */
  allocate(target: SliverTarget, sliverMacPrefix: number): Promise<void>
  /** Fetch and check its template, make its root, host key and bundle: allocated → deployed. */
  deploy(target: SliverTarget, signal: AbortSignal): Promise<void>
  /** Make its network, limits and container, run it, wait until its SSH server listens: deployed → started. */
  start(target: SliverTarget, signal: AbortSignal): Promise<void>
  /** Write the SSH keys that it lets in, also while it runs. */
  authorize(id: string, sshAuthorizedKeys: readonly string[], signal: AbortSignal): Promise<void>
  /** End its processes and network: started → deployed. What it wrote is kept. */
  stop(id: string, signal: AbortSignal): Promise<void>
  /** Remove everything of it, whatever its stage. */
  remove(id: string, signal: AbortSignal): Promise<void>
  /** Look after what was set on the host, now: it is done by event and every few seconds anyway. */
  check(): Promise<void>
  /** Call back when a sliver has ended by itself. Returns the unsubscriber. */
  onEnded(listener: (id: string) => void): () => void
  /** Let go of watchers; the slivers run on. */
  close(): Promise<void>
}
