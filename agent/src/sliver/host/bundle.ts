import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { IdMapping } from '../domain/ids.ts'
import { localSystemCalls } from '../../system-calls.ts'

/**
 * The folder that a container is made from: `config.json`, the empty folder `stage`, and the overlay's `upper` and `work`, or the file system that they are
 * in. Its mounts are made in a mount namespace of their own and live only in the container's: the host's table of mounts stays clean, and they go away with the container.
 */
export interface Bundle {
  readonly folder: string
  /** What is beneath: a template that others share, with the ids that its owners are to have; or the folder's own `lower`. */
  readonly lower: { readonly shared: string; readonly ids: readonly IdMapping[] } | 'own'
  /** Folders that its configuration binds from {@link BundlePlaces}`.bound`, by name. */
  readonly bound: Readonly<Record<string, string>>
}

/** Where a bundle's mounts are, in the mount namespace in which its container is created. */
export interface BundlePlaces {
  /** What the runtime calls the bundle. */
  readonly bundle: string
  readonly root: string
  bound(name: string): string
}

/** Folders that every Debian and OpenWrt has, and that every user may enter. A bundle's mounts cover one of them, which only the runtime of that sliver sees. */
const candidates = ['/mnt', '/media', '/srv', '/opt']

/**
 * Choose where bundles are mounted. It is not the data folder: a sliver's users may not be allowed to enter it, and the runtime looks for the root file system as
 * one of them.
 */
export function chooseBundlePlaces(dataDir: string): BundlePlaces {
  const bundle = candidates.find((place) => !`${dataDir}/`.startsWith(`${place}/`)) ?? '/mnt'
  return { bundle, root: `${bundle}/root`, bound: (name) => `${bundle}/${name}` }
}

/** A runtime that is to see no cgroups finds a file system without any. */
const hideCgroups = 'mount -t tmpfs -o mode=755,size=64k,ro community-lab /sys/fs/cgroup'
/** What makes a bundle's mounts. Beside `src` and `dist`, so that it is found from both. */
export const bundleProgram = fileURLToPath(
  new URL('../../../perl/bundle-mounts.pl', import.meta.url),
)
const privately = ['unshare', '--mount', '--propagation', 'private', '--'] as const

/** The argv that makes a bundle's mounts in a mount namespace of their own and runs a command there. */
export async function withBundleMounts(
  bundle: Bundle,
  places: BundlePlaces,
  options: { readonly hidesCgroups: boolean; readonly argv: readonly string[] },
): Promise<readonly string[]> {
  const xattrs = (await isInitialUserNamespace()) ? '' : 'userxattr'
  const { lower } = bundle
  const shared = lower === 'own' ? ['', ''] : [lower.shared, describeIds(lower.ids)]
  const bound = Object.entries(bundle.bound).flat()
  const hides = options.hidesCgroups ? '1' : ''
  const unshare = String(localSystemCalls()?.unshare ?? '')
  const what = [unshare, bundle.folder, places.bundle, xattrs, ...shared, hides, ...bound, '--']
  return [...privately, 'perl', bundleProgram, ...what, ...options.argv]
}

function describeIds(ids: readonly IdMapping[]): string {
  return ids.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`).join(' ')
}

/** The argv that runs a command where it sees cgroups or does not. */
export function withoutCgroups(hidesCgroups: boolean, argv: readonly string[]): readonly string[] {
  if (!hidesCgroups) return argv
  return [...privately, 'sh', '-c', `set -e\n${hideCgroups}\nexec "$@"`, 'sh', ...argv]
}

/** Tell whether this process is in the host's own user namespace: in another one no disk can be mounted, nor can overlays write their marks in `trusted.` attributes. */
export async function isInitialUserNamespace(): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8')
  return map.trim().split(/\s+/u).join(' ') === '0 0 4294967295'
}
