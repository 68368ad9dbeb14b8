import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { IdMapping } from '../domain/ids.ts'
import { localSystemCalls } from '../../system-calls.ts'

/**
 * The folder from which a container is made: `config.json`, the empty folder `stage`, and the overlay's `upper` and `work`, or the file system that contains
 * these two. Its mounts are made in a new mount namespace and exist only in the container's. So the host's mount table does not contain them, and they
 * disappear with the container.
 */
export interface Bundle {
  readonly folder: string
  /** The lower layer: a template that others share, with an id mapping; or the folder's own `lower`. */
  readonly lower: { readonly shared: string; readonly ids: readonly IdMapping[] } | 'own'
  /** The folders that the configuration binds from {@link BundlePlaces}`.bound`, by name. */
  readonly bound: Readonly<Record<string, string>>
}

/** The paths of a bundle's mounts, in the mount namespace in which its container is created. */
export interface BundlePlaces {
  /** The path of the bundle for the runtime. */
  readonly bundle: string
  readonly root: string
  bound(name: string): string
}

/**
 * Folders that exist on every Debian and OpenWrt and that every user may enter. A bundle's mounts cover one of them; only the runtime of that sliver sees them.
 */
const candidates = ['/mnt', '/media', '/srv', '/opt']

/**
 * Choose where bundles are mounted. The data folder is not suitable: the runtime opens the root file system as a user of the sliver, who may not be allowed to
 * enter it.
 */
export function chooseBundlePlaces(dataDir: string): BundlePlaces {
  const bundle = candidates.find((place) => !`${dataDir}/`.startsWith(`${place}/`)) ?? '/mnt'
  return { bundle, root: `${bundle}/root`, bound: (name) => `${bundle}/${name}` }
}

/** Hides the cgroups from a runtime behind an empty file system. */
const hideCgroups = 'mount -t tmpfs -o mode=755,size=64k,ro community-lab /sys/fs/cgroup'
/** The program that makes a bundle's mounts. It is beside `src` and `dist`, so the same relative path is valid for both. */
export const bundleProgram = fileURLToPath(
  new URL('../../../perl/bundle-mounts.pl', import.meta.url),
)
const privately = ['unshare', '--mount', '--propagation', 'private', '--'] as const

/** Return the argv that makes a bundle's mounts in a new mount namespace and runs a command there. */
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

/** Return the argv that runs a command with or without sight of cgroups. */
export function withoutCgroups(hidesCgroups: boolean, argv: readonly string[]): readonly string[] {
  if (!hidesCgroups) return argv
  return [...privately, 'sh', '-c', `set -e\n${hideCgroups}\nexec "$@"`, 'sh', ...argv]
}

/**
 * Return the argv that runs a command where the root of bundles exists as an empty folder. runc enters the folder from which a container was made before it
 * enters the container. Source: runc 1.1, libcontainer, commandTemplate.
 */
export function withEmptyRoot(
  { bundle, root }: BundlePlaces,
  argv: readonly string[],
): readonly string[] {
  const mount = `mount -t tmpfs -o mode=755,size=64k community-lab ${bundle}`
  return [...privately, 'sh', '-c', `set -e\n${mount}\nmkdir ${root}\nexec "$@"`, 'sh', ...argv]
}

/** Tell whether this process is in the initial user namespace. In another one, disks cannot be mounted, and overlays cannot write `trusted.` attributes. */
export async function isInitialUserNamespace(): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8')
  return map.trim().split(/\s+/u).join(' ') === '0 0 4294967295'
}
