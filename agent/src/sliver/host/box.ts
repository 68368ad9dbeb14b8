import { readFile } from 'node:fs/promises'
import type { IdMapping } from '../domain/ids.ts'
import { diskImage } from './disk.ts'
import { idMappedArguments, idMappedMountProgram } from './id-mapped.ts'

/**
 * The folder that a container is made from: `config.json`, the empty folder `stage`, and the overlay's `upper` and `work`, or the file system that they are
 * in. Its mounts are made in a mount namespace of their own and live only in the container's: the host's table of mounts stays clean, and they go away with the container.
 */
export interface Box {
  readonly folder: string
  /** What is beneath: a template that others share, with the ids that its owners are to have; or the folder's own `lower`. */
  readonly lower: { readonly shared: string; readonly ids: readonly IdMapping[] } | 'own'
  /** Folders that its configuration binds from {@link BoxPlaces}`.bound`, by name. */
  readonly bound: Readonly<Record<string, string>>
}

/** Where a box's mounts are, in the mount namespace in which its container is created. */
export interface BoxPlaces {
  /** What the runtime calls the bundle. */
  readonly bundle: string
  readonly root: string
  bound(name: string): string
}

/** Folders of every Debian and OpenWrt that others may enter; one is hidden by the mounts, for the runtime alone. */
const candidates = ['/mnt', '/media', '/srv', '/opt']

/**
 * Choose where boxes are mounted: the data folder may lie where a sliver's users may not pass, and what the runtime does as them must find its root.
 */
export function chooseBoxPlaces(dataDir: string): BoxPlaces {
  const bundle = candidates.find((place) => !`${dataDir}/`.startsWith(`${place}/`)) ?? '/mnt'
  return { bundle, root: `${bundle}/root`, bound: (name) => `${bundle}/${name}` }
}

/**
 * $1: the folder; $2: the bundle's place; $3: the overlay's further options; $4: the shared template, or nothing; $5: the program that mounts it with $6 as
 * its ids; then names and folders to bind; after `--` the command. mount(8) takes a loop device for the disk that is given back with the last mount of it.
 */
const script = `set -e
cd "$1"
mount -t tmpfs -o mode=755,size=1m,nosuid,nodev community-lab stage
mkdir stage/root stage/lower stage/disk
lower=lower
if [ -n "$4" ]; then
  lower=stage/lower
  perl -e "$5" "$4" "$lower" $6
fi
own=.
if [ -e ${diskImage} ]; then
  own=stage/disk
  mount -t ext4 -o loop,nodev ${diskImage} "$own"
fi
mount -t overlay -o "nodev,lowerdir=$lower,upperdir=$own/upper,workdir=$own/work$3" community-lab stage/root
cp config.json stage/
place=$2
shift 6
while [ "$1" != -- ]; do
  mkdir "stage/$1"
  mount --bind "$2" "stage/$1"
  shift 2
done
shift
mount --move stage "$place"
cd /
`
/** A runtime that is to see no cgroups finds a file system without any. */
const hideCgroups = 'mount -t tmpfs -o mode=755,size=64k,ro community-lab /sys/fs/cgroup\n'
/** What runs in the container later must not hold the agent's pipes. */
const run = 'exec "$@" </dev/null >/dev/null 2>&1\n'

/** The argv that makes a box's mounts in a mount namespace of their own and runs a command there. */
export async function inBox(
  box: Box,
  places: BoxPlaces,
  options: { readonly hidesCgroups: boolean; readonly argv: readonly string[] },
): Promise<readonly string[]> {
  const text = script + (options.hidesCgroups ? hideCgroups : '') + run
  const further = (await isInitialUserNamespace()) ? '' : ',userxattr'
  const { lower } = box
  const shared =
    lower === 'own'
      ? ['', '', '']
      : [lower.shared, idMappedMountProgram, idMappedArguments(lower.ids).join(' ')]
  const bound = Object.entries(box.bound).flat()
  return [
    ...privately(text),
    box.folder,
    places.bundle,
    further,
    ...shared,
    ...bound,
    '--',
    ...options.argv,
  ]
}

/** The argv that runs a command where it sees cgroups or does not. */
export function besideCgroups(hidesCgroups: boolean, argv: readonly string[]): readonly string[] {
  return hidesCgroups ? [...privately(`set -e\n${hideCgroups}exec "$@"\n`), ...argv] : argv
}

function privately(text: string): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', text, 'sh']
}

/** In another one the overlay cannot write its marks in `trusted.` attributes. */
async function isInitialUserNamespace(): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8')
  return map.trim().split(/\s+/u).join(' ') === '0 0 4294967295'
}
