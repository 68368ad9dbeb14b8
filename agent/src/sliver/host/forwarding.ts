import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  planForwarding,
  type ForwardingSetting,
  type ForwardingState,
} from '../domain/forwarding.ts'
import { isErrno } from '../../errno.ts'

/** IPv6 forwarding between slivers and the networks that this node is in. */
export interface Forwarding {
  /** Enable forwarding of slivers' packets where it is disabled. Returns the settings that were changed. Can be repeated at any time. */
  ensure(): Promise<readonly ForwardingSetting[]>
}

/** Options of {@link createForwarding}. */
export interface ForwardingOptions {
  readonly mgmtInterface: string | null
  /** Whether slivers are to be reached from other networks than the management network. */
  readonly fromOthers: boolean
  /** Called with the owner's interfaces that forward for slivers only, before they do. */
  readonly onHostInterfaces: (names: readonly string[]) => Promise<void>
  /** Where the kernel has its settings. Default: `/proc/sys/net/ipv6/conf`. */
  readonly dir?: string
}

/**
 * Make the forwarding of this network namespace.
 *
 * The owner's interfaces stay what they are, hosts or routers. Where the kernel can let single interfaces forward (Linux 6.17 and newer), `all/forwarding` is
 * never touched. Older kernels forward only where it is set: there it is set once, in such an order that no router advertisement is refused and no route that
 * came with one is lost.
 */
export function createForwarding(options: ForwardingOptions): Forwarding {
  const { onHostInterfaces, dir = '/proc/sys/net/ipv6/conf' } = options
  let current: Promise<unknown> = Promise.resolve()

  async function read(name: string, setting: string): Promise<string | null> {
    try {
      return (await readFile(join(dir, name, setting), 'utf8')).trim()
    } catch (error) {
      // The interface has gone, or the kernel has no such setting.
      if (isErrno(error, 'ENOENT')) return null
      throw error
    }
  }

  async function readState(): Promise<ForwardingState> {
    const names = (await readdir(dir)).filter((name) => name !== 'all' && name !== 'lo')
    const interfaces = await Promise.all(
      names.map(async (name) => {
        const [forwarding, forced, acceptRa] = await Promise.all(
          ['forwarding', 'force_forwarding', 'accept_ra'].map((setting) => read(name, setting)),
        )
        return {
          name,
          forwarding: forwarding === '1',
          forced: forced ?? null,
          acceptRa: acceptRa ?? '',
        }
      }),
    )
    return {
      all: (await read('all', 'forwarding')) === '1',
      interfaces: interfaces.filter(({ name }) => name !== 'default'),
      byDefault: interfaces.find(({ name }) => name === 'default')?.forwarding ?? false,
    }
  }

  async function ensure(): Promise<readonly ForwardingSetting[]> {
    const { settings, hostInterfaces } = planForwarding(await readState(), options)
    await onHostInterfaces(hostInterfaces)
    for (const { name, setting, value } of settings)
      await writeFile(join(dir, name, setting), value).catch((error: unknown) => {
        // The interface has gone meanwhile.
        if (name === 'all' || !isErrno(error, 'ENOENT')) throw error
      })
    return settings
  }

  return {
    ensure() {
      const turn = current.then(ensure, ensure)
      current = turn
      return turn
    },
  }
}
