import type { Capabilities, MemberError, SliverTarget } from '@community-lab/contract'
import type { SliverStatus, UnreadableSliver } from '../plan/observed.ts'

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
