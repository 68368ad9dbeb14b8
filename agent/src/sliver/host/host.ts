import { join } from 'node:path'
import { serverManagementAddress } from '@community-lab/contract'
import { createSerial } from '../../serial.ts'
import type { LinkedSliver } from '../domain/interfaces.ts'
import { chooseBundlePlaces, type BundlePlaces } from './bundle.ts'
import { openCgroups, type Cgroups } from './cgroups.ts'
import { createFilter, hostNft, type Filter } from './filter.ts'
import type { NodeProblems } from '../../report/problems.ts'
import { createForwarding, type Forwarding } from './forwarding.ts'
import { createLinks, type Links } from './links.ts'
import { createQueues, type Queues } from './queues.ts'
import type { ProcessIdentity } from './process.ts'
import { createRuntime, runtimeNames } from './runtime.ts'

/** The parts of this host that the agent needs to end slivers. They exist even when no sliver can be made. */
export interface Host {
  readonly dataDir: string
  /** Aborted when this process is about to end. */
  readonly ending: AbortSignal
  /** Whether there were slivers on this node, running or not, when the agent started. */
  readonly hasSlivers: boolean
  /** This node's number among the nodes of its host; null: it is the only one. */
  readonly nrOnHost: number | null
  /** The folders where bundles are mounted. */
  readonly places: BundlePlaces
  readonly filter: Filter
  readonly forwarding: Forwarding
  readonly links: Links
  readonly queues: Queues
  readonly cgroups: Cgroups
  /** Limit the bandwidth of all slivers together from now on. The links of running slivers keep their speed until they are shaped again. */
  setRate(mbps: number | null): Promise<void>
  /** The folder in which runtimes keep the state of containers. */
  readonly runtimeDir: string
  /** Find the containers of all runtimes: their first processes, by name. null: the container does not run. */
  findContainers(): Promise<ReadonlyMap<string, ProcessIdentity | null>>
  /**
   * Run a task that removes a sliver's links, container and cgroups, for four slivers at a time. An owner who takes the device back ends all slivers at once, and a small device has no
   * memory for the commands of a hundred slivers.
   */
  removing<T>(sliverNr: number, task: () => Promise<T>): Promise<T>
  /** Kill a container and delete its state, whichever runtime made it. Idempotent. */
  destroyContainer(name: string): Promise<void>
}

/** Options of {@link openHost}. */
export interface HostOptions {
  readonly dataDir: string
  /** The cgroup, below the root of each controller, that contains the cgroups of slivers. */
  readonly cgroupParent: string
  readonly mgmtPrefix: string
  readonly mgmtInterface: string | null
  /** The node's /64 in the community network; null: none. */
  readonly publicPrefix: string | null
  /** The most bandwidth of all slivers together in each direction, in Mbit/s, until `setRate` is called; null: not limited. */
  readonly lendsMbps: number | null
  /** Aborted when this process is about to end. */
  readonly signal: AbortSignal
  /** This node's number among the nodes of its host; null: it is the only one. */
  readonly nrOnHost: number | null
  /** The slivers that already run. */
  readonly running: readonly LinkedSliver[]
  /** Whether there are slivers on this node already, running or not. */
  readonly hasSlivers: boolean
  /** The problems of the node. */
  readonly problems: NodeProblems
}

const removedAtOnce = 4

/** Open the parts of this host that slivers use. Nothing on the host is changed yet. */
export async function openHost(options: HostOptions): Promise<Host> {
  const { dataDir, mgmtPrefix, mgmtInterface, publicPrefix } = options
  const places = chooseBundlePlaces(dataDir)
  const runtimeDir = join(dataDir, 'runtime')
  const serverAddress = serverManagementAddress(mgmtPrefix)
  const filter = createFilter({
    network: { serverAddress, mgmtPrefix, mgmtInterface },
    running: options.running,
    mbps: options.lendsMbps,
    nft: hostNft,
  })
  let mbps = options.lendsMbps
  const lentMbps = (): number | null => mbps
  const removals = createSerial()
  const runtimes = runtimeNames.map((name) =>
    createRuntime({ name, stateDir: join(runtimeDir, name), places, hasCgroups: true }),
  )
  return {
    dataDir,
    ending: options.signal,
    hasSlivers: options.hasSlivers,
    nrOnHost: options.nrOnHost,
    places,
    filter,
    forwarding: createForwarding({
      mgmtInterface,
      fromOthers: publicPrefix !== null,
      onHostInterfaces: (names) => filter.setHostInterfaces(names),
    }),
    links: createLinks({ mgmtPrefix, lentMbps, problems: options.problems }),
    queues: createQueues({ mgmtInterface, lentMbps }),
    cgroups: await openCgroups(options.cgroupParent),
    async setRate(next) {
      mbps = next
      await filter.setRate(next)
    },
    runtimeDir,
    async findContainers() {
      const found = new Map<string, ProcessIdentity | null>()
      for (const runtime of runtimes)
        for (const name of await runtime.names())
          found.set(name, (await runtime.find(name)) ?? found.get(name) ?? null)
      return found
    },
    removing: (sliverNr, task) => removals.run(String(sliverNr % removedAtOnce), task),
    async destroyContainer(name) {
      for (const runtime of runtimes) await runtime.destroy(name)
    },
  }
}
