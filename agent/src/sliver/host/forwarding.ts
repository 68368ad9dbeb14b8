import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  planForwarding,
  type ForwardingSetting,
  type ForwardingState,
} from '../domain/forwarding.ts'
import { isErrno } from '../../errno.ts'

/** The forwarding of IPv6 packets between slivers and the networks of this node. */
export interface Forwarding {
  /** Enable forwarding of slivers' packets where it is disabled. Returns the settings that were changed. Can be repeated at any time. */
  ensure(): Promise<readonly ForwardingSetting[]>
}

/** Options of {@link createForwarding}. */
export interface ForwardingOptions {
  readonly mgmtInterface: string | null
  /** Whether slivers must be reachable from networks other than the management network. */
  readonly fromOthers: boolean
  /** Called with the owner's interfaces that forward only for slivers, before they start to. */
  readonly onHostInterfaces: (names: readonly string[]) => Promise<void>
  /** The folder of the kernel's settings. Default: `/proc/sys/net/ipv6/conf`. */
  readonly dir?: string
}

/**
 * Control the forwarding of this network namespace.
 *
 * The owner's interfaces stay in host or router mode. When the kernel can let single interfaces forward (Linux 6.17 and newer), `all/forwarding` is not
 * changed. Older kernels forward only when it is set. There it is set once, in an order in which no router advertisement is refused and no route from one is
 * lost.
 */
export function createForwarding(options: ForwardingOptions): Forwarding {
  const { onHostInterfaces, dir = '/proc/sys/net/ipv6/conf' } = options
  let current: Promise<unknown> = Promise.resolve()

  async function read(name: string, setting: string): Promise<string | null> {
    try {
      return (await readFile(join(dir, name, setting), 'utf8')).trim()
    } catch (error) {
      // The interface is gone, or the kernel has no such setting.
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
        // The interface was removed meanwhile.
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
