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
  /** Let a sliver's packets pass, and only those of its own. */
  admit(sliver: LinkedSliver): Promise<void>
  /** Drop the packets of a sliver from now on. Idempotent. */
  expel(sliver: Pick<LinkedSliver, 'nr'>): Promise<void>
  /** Set which interfaces of the node's owner forward for slivers only. */
  setHostInterfaces(names: readonly string[]): Promise<void>
  /**
   * Compare the filter in the kernel with the one that was set, and set it again when it differs. Returns what was found; null: it is as it was set.
   * @throws {@link LabError} LAB_SLIVER_UNFILTERED when it cannot be set.
   */
  check(): Promise<'gone' | 'changed' | null>
  /** Whether the filter is being set and will be listed afterwards. A change that is told meanwhile is the agent's own, or undone by it: it needs no check. */
  readonly isBeingSet: boolean
}

/** What the filter needs of nft. */
export interface Nft {
  /** Carry out a script, all of it or nothing. */
  set(script: string): Promise<void>
  /** List the slivers' tables. @throws when one is not there. */
  list(): Promise<string>
}

/** After this many failed attempts to set the filter, slivers have to stop. */
const tries = 3

/** Options of {@link createFilter}. */
export interface FilterOptions {
  readonly network: NodeNetwork
  /** The slivers that run already. */
  readonly running: readonly LinkedSliver[]
  /** What slivers together may take of the node's network in each direction, in Mbit/s; null: as much as there is. */
  readonly mbps: number | null
  readonly nft: Nft
}

/** Make the filter, with the slivers that run. It is set by the first change or check. */
export function createFilter({ network, running, mbps, nft }: FilterOptions): Filter {
  const slivers = new Map(running.map((sliver) => [sliver.nr, sliver]))
  let hostInterfaces: readonly string[] = []
  let isBeingSet = false
  /** The tables as the kernel lists them after they were set; null: not known. */
  let listed: string | null = null
  let current: Promise<unknown> = Promise.resolve()
  let waiting: Promise<void> | null = null

  /** Run a task after those before it. What is to be done after it delays those behind it, not who asked for the task. */
  function inOrder<T>(task: () => Promise<T>, after?: () => Promise<void>): Promise<T> {
    const turn = current.then(task, task)
    current = turn.then(after).catch(() => undefined)
    return turn
  }

  async function set(): Promise<void> {
    const plan: FilterPlan = { network, slivers: [...slivers.values()], hostInterfaces, mbps }
    listed = null
    isBeingSet = true
    for (let attempt = 1; ; attempt++) {
      try {
        await nft.set(filterScript(plan))
        return
      } catch (error) {
        if (attempt < tries) continue
        isBeingSet = false
        throw new LabError('LAB_SLIVER_UNFILTERED', { reason: reasonOf(error) }, { cause: error })
      }
    }
  }

  /** List the tables that were just set, unless they are about to be set again. Where one is not there any more, all are set again. */
  async function remember(): Promise<void> {
    for (let attempt = 1; waiting === null; attempt++) {
      isBeingSet = false
      listed = await nft.list().catch(() => null)
      if (listed !== null || attempt === tries) return
      await set()
    }
  }

  /** Set the filter once for all changes that were made before it is set. */
  function setSoon(): Promise<void> {
    waiting ??= inOrder(() => {
      waiting = null
      return set()
    }, remember)
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
        // A failure does no harm here, because a sliver that has ended sends nothing. The next check sets the filter, or tells that it cannot be set.
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
    check: () =>
      inOrder(async () => {
        const found = await nft.list().catch(() => {
          // A table is missing, or nft fails: either way the filter has to be set.
          return null
        })
        if (found !== null && found === listed) return null
        // Where it is not known how the kernel lists what was set, as at the first check, a difference is no finding. But where slivers run, there must be a filter.
        const isExpected = listed === null && (found !== null || slivers.size === 0)
        await set()
        await remember()
        if (isExpected) return null
        return found === null ? 'gone' : 'changed'
      }),
    get isBeingSet() {
      return isBeingSet
    },
  }
}

/** The slivers' tables in this network namespace. */
export const hostNft: Nft = {
  async set(script) {
    await runCommand(['nft', '-f', '-'], { input: script })
  },
  /**
   * Without what packets have put into their sets. One nft for each, which a shell starts: nft 1.0.6 finds only tables of the first one's family when it is told
   * to list several, and all tables of a family may be much, such as an owner's list of 100,000 addresses.
   */
  async list() {
    const lists = filterTables.map((table) => `nft --stateless list table ${table}`)
    return withoutDynamicElements(await runCommand(['sh', '-c', lists.join(' && ')]))
  },
}
