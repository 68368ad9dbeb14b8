import type { Capabilities, FilesTarget, MemberError, SliverTarget } from '@community-lab/contract'
import type { ProgramStart, SliverProgram } from './program.ts'
import type { SliverStatus, UnreadableSliver } from '../plan/observed.ts'

/** What the archive of a run's files is for. */
export interface FilesUse {
  readonly signal: AbortSignal
  /** Called with the path of the archive, which stays until the task has ended. */
  readonly task: (archive: string) => Promise<void>
}

/**
 * The slivers of this node, as the agent's executors use them. Each step is idempotent. It throws a LabError with the cause as its code; then the sliver is in the
 * same stage as before. Slivers outlive the agent: the next one finds them by {@link Slivers.list}.
 */
export interface Slivers {
  /** What the runtime and this host can do, as last probed. */
  readonly capabilities: Capabilities
  /** Changes of the host in the last hour that were not the agent's, for the node's report; also those that the agent could not undo. */
  readonly problems: readonly MemberError[]
  /** List the slivers on this node whose records can be read. */
  list(): Promise<readonly SliverStatus[]>
  /** The slivers on this node whose records cannot be read. */
  unreadable(): Promise<readonly UnreadableSliver[]>
  /**
   * Fetch and check its template, and reserve its number, folder, disk and addresses: registered → allocated. The 16 bits are the beginning of its MAC
   * addresses. Its configuration stays as it is from now on.
   */
  allocate(target: SliverTarget, sliverMacPrefix: number, signal: AbortSignal): Promise<void>
  /** Make its root from its template, its host key and bundle: allocated → deployed. */
  deploy(target: SliverTarget, signal: AbortSignal): Promise<void>
  /** Make its network, limits and container, run it, and wait until its SSH server listens: deployed → started. */
  start(target: SliverTarget, signal: AbortSignal): Promise<void>
  /** Write its authorized SSH keys, also while it runs. */
  authorize(id: string, sshAuthorizedKeys: readonly string[], signal: AbortSignal): Promise<void>
  /** End its processes and network: started → deployed. Its data is kept. */
  stop(id: string, signal: AbortSignal): Promise<void>
  /** End its processes, and remove what was deployed: → allocated, for another reset of its slice. Its number, addresses and limits stay. */
  undeploy(id: string, sliceInstanceSn: number, signal: AbortSignal): Promise<void>
  /** Remove it completely, whatever its stage. */
  remove(id: string, signal: AbortSignal): Promise<void>
  /** Make ready what starts a program in a running sliver. @throws {@link LabError} LAB_SLIVER_STAGE when it does not run, LAB_SLIVER_NO_RUNTIME. */
  prepareProgram(id: string, program: SliverProgram): Promise<ProgramStart>
  /** Download the archive of a run's files if it is not here, and use it. @throws {@link LabError} LAB_DATA_UNREACHABLE, LAB_DATA_CHECKSUM, LAB_DATA_NO_ROOM. */
  useFiles(files: FilesTarget, use: FilesUse): Promise<void>
  /** Hold all slivers together to what the node lends now: their bandwidth (Mbit/s in each direction; null: not limited), and by `check` the rest. */
  lend(mbps: number | null): Promise<void>
  /** Compare now what was set on the host with what is there, and mend it. This also happens by event and every few seconds. */
  check(): Promise<void>
  /** Call the listener when a sliver has ended by itself. Returns the unsubscriber. */
  onEnded(listener: (id: string) => void): () => void
  /** End the watchers. The slivers run on. */
  close(): Promise<void>
}
