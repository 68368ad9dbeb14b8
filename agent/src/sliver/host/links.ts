import { writeFile } from 'node:fs/promises'
import { serverManagementAddress } from '@community-lab/contract'
import { admitScript, expelScript, filterScript, type FilterPlan } from '../domain/filter.ts'
import { hostInterfacePrefix } from '../domain/interfaces.ts'
import { nodeLinkLines, sliverLinkLines, type LinkedSliver } from '../domain/links.ts'
import { runCommand } from './command.ts'

/** The network between the node and its slivers. */
export interface Links {
  /** Let a sliver's packets pass the filter, and only those of its own; before its links are made, so that they never pass what they should not. */
  admit(sliver: LinkedSliver, signal: AbortSignal): Promise<void>
  /** Make the links of a sliver that was admitted, into the network namespace of a process. */
  connect(sliver: LinkedSliver, pid: number, signal: AbortSignal): Promise<void>
  /** Remove a sliver's links and its place in the filter. Idempotent. */
  disconnect(sliver: LinkedSliver): Promise<void>
}

/** Options of {@link openLinks}. */
export interface LinksOptions {
  readonly mgmtPrefix: string
  readonly mgmtInterface: string | null
  /** The slivers that run already. */
  readonly running: readonly LinkedSliver[]
  readonly signal: AbortSignal
}

/**
 * Prepare this network namespace: it forwards IPv6, and has the filter with the slivers that run in it.
 * @throws {@link LabError} LAB_SLIVER_COMMAND_FAILED when there is no filter.
 */
export async function openLinks(options: LinksOptions): Promise<Links> {
  const { mgmtPrefix, mgmtInterface, running, signal } = options
  const serverAddress = serverManagementAddress(mgmtPrefix)
  const plan: FilterPlan = { serverAddress, mgmtPrefix, mgmtInterface }
  await runCommand(['nft', '-f', '-'], { input: filterScript(plan, running), signal })
  await writeFile('/proc/sys/net/ipv6/conf/all/forwarding', '1')

  async function admit(sliver: LinkedSliver, aborted: AbortSignal): Promise<void> {
    await runCommand(['nft', '-f', '-'], { input: admitScript(sliver), signal: aborted })
  }

  async function connect(sliver: LinkedSliver, pid: number, aborted: AbortSignal): Promise<void> {
    const batch = (lines: readonly string[], enter: readonly string[]) =>
      runCommand([...enter, 'ip', '-6', '-batch', '-'], {
        input: `${lines.join('\n')}\n`,
        signal: aborted,
      })
    await batch(nodeLinkLines(sliver, pid), [])
    const enter = ['nsenter', `--net=/proc/${pid}/ns/net`, '--']
    await batch(sliverLinkLines(sliver.interfaces, mgmtPrefix), enter)
  }

  async function disconnect(sliver: LinkedSliver): Promise<void> {
    // Its end in the sliver may have gone, and this one with it, at any moment.
    for (const link of await findLinks(sliver.nr))
      await runCommand(['ip', '-force', '-batch', '-'], { input: `link del dev ${link}\n` }).catch(
        async (error: unknown) => {
          if ((await findLinks(sliver.nr)).includes(link)) throw error
        },
      )
    await runCommand(['nft', '-f', '-'], { input: expelScript(sliver) })
  }

  return { admit, connect, disconnect }
}

async function findLinks(nr: number): Promise<readonly string[]> {
  const prefix = hostInterfacePrefix(nr)
  // One line each: `12: slv-01-03@if2: <…`. /sys may show another namespace's.
  const text = await runCommand(['ip', '-o', 'link', 'show', 'type', 'veth'])
  return [...text.matchAll(/^\d+: ([^@:\s]+)/gmu)].flatMap(([, name = '']) =>
    name.startsWith(prefix) ? [name] : [],
  )
}
