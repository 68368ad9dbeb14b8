import { readFile, writeFile } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'
import {
  addressed,
  hostInterface,
  hostInterfacePrefix,
  type LinkedSliver,
} from '../domain/interfaces.ts'
import { findLacks, linkStateLines, parseLinkState } from '../domain/link-state.ts'
import { findShapedOtherwise, shapingLines } from '../domain/bandwidth.ts'
import { linkCreationLines, nodeLinkLines, sliverLinkLines } from '../domain/links.ts'
import { isErrno } from '../../errno.ts'
import type { NodeProblems } from '../../report/problems.ts'
import { reasonOf, runCommand } from './command.ts'
import { holdNamespace } from './namespace.ts'
import type { ProcessIdentity } from './process.ts'

/** The links between the node and its slivers. */
export interface Links {
  /**
   * Make the links of a sliver that the filter admits, into the network namespace of its first process. Existing links are kept.
   * @throws {@link LabError} LAB_SLIVER_ENDED when the process is gone.
   */
  connect(
    sliver: LinkedSliver & { readonly id: string },
    process: ProcessIdentity,
    signal: AbortSignal,
  ): Promise<void>
  /** Find the slivers whose links are faster or slower than the owner lends now, because an earlier agent had another setting or no such limit. */
  findShapedOtherwise<T extends LinkedSliver>(slivers: readonly T[]): Promise<readonly T[]>
  /** Give the links of a sliver the speed that the owner lends now. @throws as `connect`. */
  shape(
    sliver: LinkedSliver & { readonly id: string },
    process: ProcessIdentity,
    signal: AbortSignal,
  ): Promise<void>
  /** Remove a sliver's links. Idempotent. */
  disconnect(sliver: LinkedSliver): Promise<void>
  /** Find what is missing of these slivers' links, by the sliver's number: links, addresses, neighbours and routes. Complete ones are left out. */
  inspect(slivers: readonly LinkedSliver[]): Promise<ReadonlyMap<number, readonly string[]>>
}

/** Options of {@link createLinks}. */
export interface LinksOptions {
  readonly mgmtPrefix: string
  /** Return the most bandwidth of all slivers together in each direction, in Mbit/s; null: not limited. */
  readonly lentMbps: () => number | null
  /** The problems of the node. Links whose speed cannot be limited are reported there. */
  readonly problems: Pick<NodeProblems, 'set' | 'clear'>
}

/** Create the functions that make links in this network namespace. */
export function createLinks({ mgmtPrefix, lentMbps, problems }: LinksOptions): Links {
  const batch = (lines: readonly string[], enter: readonly string[], signal?: AbortSignal) =>
    runCommand([...enter, 'ip', '-6', '-o', '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      ...(signal === undefined ? {} : { signal }),
    })

  /** Set the queues of links. If the kernel has no such queue, only the filter limits slivers to their shares, and a problem is reported. */
  async function setQueues(
    links: readonly string[],
    enter: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const input = shapingLines(links, lentMbps())
      .map((line) => `${line}\n`)
      .join('')
    const subject = 'speed of links'
    try {
      await runCommand([...enter, 'tc', '-batch', '-'], { input, signal })
      problems.clear(subject)
    } catch (error) {
      if (signal.aborted || !LabError.is(error, 'LAB_SLIVER_COMMAND_FAILED')) throw error
      const message = `it cannot bound the speed of slivers' links (${reasonOf(error)}): a sliver may send at once what it may send in a second`
      problems.set(subject, { member: '', message })
    }
  }

  async function shapeEnds(
    sliver: LinkedSliver,
    enter: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const inside = addressed(sliver.interfaces).map(({ name }) => name)
    await setQueues(inside, enter, signal)
    // The node's ends come last, because `findShapedOtherwise` looks at them.
    await setQueues(endsOnNode(sliver), [], signal)
  }

  return {
    async connect(sliver, process, signal) {
      await using namespace = await holdNamespace(process, 'net', sliver.id)
      const present = await findLinks(sliver.nr)
      const isMissing = ({ nr }: { readonly nr: number }): boolean =>
        !present.includes(hostInterface(sliver.nr, nr))
      const missing = { ...sliver, interfaces: sliver.interfaces.filter(isMissing) }
      await batch(
        [...linkCreationLines(missing, namespace.path), ...nodeLinkLines(sliver)],
        [],
        signal,
      )
      await Promise.all(
        addressed(sliver.interfaces).map(({ nr }) => configure(hostInterface(sliver.nr, nr))),
      )
      const enter = ['nsenter', `--net=${namespace.path}`, '--']
      await batch(sliverLinkLines(sliver.interfaces, mgmtPrefix), enter, signal)
      // A new link has no queue.
      if (lentMbps() !== null) await shapeEnds(sliver, enter, signal)
    },
    async findShapedOtherwise(slivers) {
      if (slivers.length === 0) return []
      const shown = await runCommand(['tc', '-json', 'qdisc', 'show'])
      const links = slivers.flatMap(endsOnNode)
      const found = new Set(findShapedOtherwise(shown, links, lentMbps()))
      return slivers.filter((sliver) => endsOnNode(sliver).some((link) => found.has(link)))
    },
    async shape(sliver, process, signal) {
      await using namespace = await holdNamespace(process, 'net', sliver.id)
      await shapeEnds(sliver, ['nsenter', `--net=${namespace.path}`, '--'], signal)
    },
    async disconnect(sliver) {
      // A link is removed together with its end in the sliver, so it may be gone already.
      for (const link of await findLinks(sliver.nr))
        await runCommand(['ip', '-force', '-batch', '-'], {
          input: `link del dev ${link}\n`,
        }).catch(async (error: unknown) => {
          if ((await findLinks(sliver.nr)).includes(link)) throw error
        })
    },
    async inspect(slivers) {
      if (slivers.length === 0) return new Map()
      const state = parseLinkState(await batch(linkStateLines, []))
      return new Map(
        slivers.flatMap((sliver) => {
          const lacks = findLacks(sliver, state)
          return lacks.length === 0 ? [] : [[sliver.nr, lacks]]
        }),
      )
    },
  }
}

/** The settings of the node's end: it ignores what a sliver announces about routers and routes, and forwards for the sliver. Source: Linux, ip-sysctl, conf/interface. */
const linkSettings = { accept_ra: '0', accept_redirects: '0', force_forwarding: '1' } as const

async function configure(link: string): Promise<void> {
  for (const [setting, value] of Object.entries(linkSettings))
    await writeFile(`/proc/sys/net/ipv6/conf/${link}/${setting}`, value).catch((error: unknown) => {
      // The sliver may have ended, and its link with it. Linux before 6.17 has no force_forwarding.
      if (!isErrno(error, 'ENOENT')) throw error
    })
}

/** The node's ends of a sliver's links. */
function endsOnNode({ nr, interfaces }: LinkedSliver): readonly string[] {
  return addressed(interfaces).map((one) => hostInterface(nr, one.nr))
}

/**
 * Find the node's ends of a sliver's links that exist. `/sys` may show the interfaces of another namespace; this file has those of this process's namespace.
 */
async function findLinks(nr: number): Promise<readonly string[]> {
  const prefix = hostInterfacePrefix(nr)
  const table = await readFile('/proc/self/net/dev', 'utf8')
  return [...table.matchAll(/^\s*([^:\s]+):/gmu)].flatMap(([, name = '']) =>
    name.startsWith(prefix) ? [name] : [],
  )
}
