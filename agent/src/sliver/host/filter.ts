import { LabError } from '@community-lab/contract'
import { filterScript, filterTables, type FilterPlan } from '../domain/filter.ts'
import type { NodeNetwork } from '../domain/interface/kind.ts'
import type { LinkedSliver } from '../domain/interfaces.ts'
import { withoutDynamicElements } from '../domain/neighbours.ts'
import { reasonOf, runCommand } from './command.ts'

/**
 * The node's packet filter. It is always set as a whole, from the slivers that are admitted. So the next change also mends it. Changes at the same time are set together.
 */
export interface Filter {
  /** Let a sliver's packets pass, if they have its own addresses. */
  admit(sliver: LinkedSliver): Promise<void>
  /** Drop the packets of a sliver from now on. Idempotent. */
  expel(sliver: Pick<LinkedSliver, 'nr'>): Promise<void>
  /** Set the interfaces of the node's owner that forward only for slivers. */
  setHostInterfaces(names: readonly string[]): Promise<void>
  /** Limit the bandwidth of all slivers together, in Mbit/s in each direction; null: not limited. */
  setRate(mbps: number | null): Promise<void>
  /**
   * Compare the filter in the kernel with the one that was set, and set it again when they differ. Returns the difference; null: there is none.
   * @throws {@link LabError} LAB_SLIVER_UNFILTERED when it cannot be set; LAB_SLIVER_COMMAND_FAILED when it cannot be compared.
   */
  check(): Promise<'gone' | 'changed' | null>
  /**
   * Whether the filter is being set and will be listed afterwards. A change event during that time is the agent's own change, or one that the agent overwrites:
   * no check is needed.
   */
  readonly isBeingSet: boolean
}

/** The commands of nft that the filter uses. */
export interface Nft {
  /** Run a script as one transaction. */
  set(script: string): Promise<void>
  /** List the slivers' tables. @throws when one of them does not exist. */
  list(): Promise<string>
  /** Return what `list` returns after a script was set and nobody else has changed anything. */
  expected(script: string): Promise<string>
}

/** After this many failed attempts to set the filter, slivers have to stop. */
const tries = 3

/** Options of {@link createFilter}. */
export interface FilterOptions {
  readonly network: NodeNetwork
  /** The slivers that already run. */
  readonly running: readonly LinkedSliver[]
  /** The most bandwidth of all slivers together in each direction, in Mbit/s; null: not limited. */
  readonly mbps: number | null
  readonly nft: Nft
}

/** What was set in the kernel. */
interface FilterContent {
  readonly script: string
  /** How nft lists it; null: not asked yet. */
  listing: string | null
}

/** Make the filter with the running slivers. The first change or check sets it. */
export function createFilter({ network, running, nft, ...options }: FilterOptions): Filter {
  let mbps = options.mbps
  const slivers = new Map(running.map((sliver) => [sliver.nr, sliver]))
  let hostInterfaces: readonly string[] = []
  let isBeingSet = false
  /** What was set last; null: nothing yet, or the last attempt failed. */
  let content: FilterContent | null = null
  let current: Promise<unknown> = Promise.resolve()
  let waiting: Promise<void> | null = null

  /** Run a task after the earlier ones. The work in `after` delays later tasks, but not the caller of this one. */
  function inOrder<T>(task: () => Promise<T>, after?: () => Promise<void>): Promise<T> {
    const turn = current.then(task, task)
    current = turn.then(after).catch(() => undefined)
    return turn
  }

  async function set(): Promise<void> {
    const plan: FilterPlan = { network, slivers: [...slivers.values()], hostInterfaces, mbps }
    const script = filterScript(plan)
    content = null
    isBeingSet = true
    for (let attempt = 1; ; attempt++) {
      try {
        await nft.set(script)
        content = { script, listing: null }
        return
      } catch (error) {
        if (attempt < tries) continue
        isBeingSet = false
        throw new LabError('LAB_SLIVER_UNFILTERED', { reason: reasonOf(error) }, { cause: error })
      }
    }
  }

  /** Look whether the tables that were just set exist, unless they are about to be set again. When one is missing, set all again. */
  async function confirm(): Promise<void> {
    for (let attempt = 1; waiting === null; attempt++) {
      isBeingSet = false
      const found = await nft.list().catch(() => null)
      if (found !== null || attempt === tries) return
      await set()
    }
  }

  /** Tell whether a listing is that of the filter that was set. A list after setting it would not do: somebody may have changed the filter in between. */
  async function isAsSet(found: string): Promise<boolean> {
    if (content === null) return false
    content.listing ??= await nft.expected(content.script)
    return found === content.listing
  }

  /** Set the filter once for all changes until then. */
  function setSoon(): Promise<void> {
    waiting ??= inOrder(() => {
      waiting = null
      return set()
    }, confirm)
    return waiting
  }

  return {
    async admit(sliver) {
      slivers.set(sliver.nr, sliver)
      try {
        await setSoon()
      } catch (error) {
        if (slivers.get(sliver.nr) === sliver) slivers.delete(sliver.nr)
        throw error
      }
    },
    async expel({ nr }) {
      if (!slivers.delete(nr)) return
      await setSoon().catch(() => {
        // A failure is harmless here, because a sliver that has ended sends nothing. The next check sets the filter, or reports that it cannot be set.
      })
    },
    async setHostInterfaces(names) {
      if (names.join() === hostInterfaces.join()) return
      const before = hostInterfaces
      hostInterfaces = [...names]
      await setSoon().catch((error: unknown) => {
        hostInterfaces = before
        throw error
      })
    },
    async setRate(next) {
      if (next === mbps) return
      mbps = next
      await setSoon()
    },
    check: () =>
      inOrder(async () => {
        const found = await nft.list().catch(() => {
          // A table is missing, or nft fails: either way the filter has to be set.
          return null
        })
        if (found !== null && (await isAsSet(found))) return null
        // What this agent has not set, as at the first check, is not a finding. But when slivers run, there must be a filter.
        const isExpected = content === null && (found !== null || slivers.size === 0)
        await set()
        await confirm()
        if (isExpected) return null
        return found === null ? 'gone' : 'changed'
      }),
    get isBeingSet() {
      return isBeingSet
    },
  }
}

/**
 * The command that lists the slivers' tables. A shell runs one nft for each table: when nft 1.0.6 lists several tables, it
 * finds only those of the first one's family. Listing all tables of a family may be too much, for example with an owner's list of 100,000 addresses.
 */
const listTables = filterTables.map((table) => `nft --stateless list table ${table}`).join(' && ')

/** nft in this network namespace. */
export const hostNft: Nft = {
  async set(script) {
    await runCommand(['nft', '-f', '-'], { input: script })
  },
  async list() {
    return withoutDynamicElements(await runCommand(['sh', '-c', listTables]))
  },
  /** Sets the script in a new network namespace, which nobody else can change and which ends with the command. */
  async expected(script) {
    const setAndList = ['unshare', '--net', '--', 'sh', '-c', `nft -f - && ${listTables}`]
    return withoutDynamicElements(await runCommand(setAndList, { input: script }))
  },
}
