import { chmod, chown, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../../errno.ts'
import type { IdMapping } from '../domain/ids.ts'
import { runCommand } from '../host/command.ts'
import { diskContent, diskImage, makeDisk, type DiskOptions } from '../host/disk.ts'
import type { HostKey } from '../host/host-key.ts'
import { shiftOwners } from '../template/shift.ts'
import { removeTrees } from './records.ts'

/** The folders that a sliver has read-only, with their paths in it. */
export const boundFolders = {
  keys: '/root/.ssh',
  'host-key': '/etc/dropbear',
  measure: '/run/community-lab',
} as const

/** The path of the SSH server's host key in the sliver. */
export const hostKeyPath = '/etc/dropbear/host_key'

/** Options of {@link makeRoot}. */
export interface RootOptions {
  readonly ids: readonly IdMapping[]
  /** `share`: the sliver has files of its own only where it writes; `copy`: it also has its own copy of the template, whose files belong to its ids. */
  readonly from: 'share' | 'copy'
  /** The file system for what it writes; null when its size cannot be limited. */
  readonly disk: Omit<DiskOptions, 'signal'> | null
  /** Puts files into the upper layer before it is used; default: it is empty. */
  readonly fill?: ((upper: string) => Promise<void>) | null
  readonly signal: AbortSignal
}

/**
 * Make a sliver's root: its template as lower layer, and an upper layer for what the sliver writes, which is empty but for its data. Everything that it wrote before is removed.
 * When this fails, it leaves nothing: until a sliver is deployed, its disk space is only promised.
 */
export async function makeRoot(
  folder: string,
  template: string,
  options: RootOptions,
): Promise<void> {
  const paths = rootParts.map((part) => join(folder, part))
  await removeTrees(paths)
  try {
    await makeParts(folder, template, options)
  } catch (error) {
    await removeTrees(paths)
    throw error
  }
}

async function makeParts(
  folder: string,
  template: string,
  { ids, from, disk, fill, signal }: RootOptions,
): Promise<void> {
  for (const part of ['upper', 'work', 'stage']) await mkdir(join(folder, part))
  const upper = join(folder, 'upper')
  await chmod(upper, 0o755)
  await chown(upper, rootOf(ids), rootOf(ids))
  await fill?.(upper)
  if (disk !== null) await makeDisk(folder, ['upper', 'work'], { ...disk, signal })
  if (from === 'share') return
  const lower = join(folder, 'lower')
  await runCommand(['cp', '--archive', '--reflink=auto', '--', template, lower], { signal })
  await shiftOwners(lower, ids)
}

const rootParts = ['lower', 'upper', 'work', 'stage', diskContent, diskImage]

/** Remove a sliver's root and its keys. */
export async function removeRoot(folder: string): Promise<void> {
  await removeTrees([...rootParts, 'keys', 'host-key'].map((part) => join(folder, part)))
}

/** Tell whether a sliver has its own copy of its template. */
export async function hasCopy(folder: string): Promise<boolean> {
  return exists(join(folder, 'lower'))
}

/** Write a sliver's host key, which only the sliver's root may read. */
export async function writeHostKey(
  folder: string,
  key: HostKey,
  ids: readonly IdMapping[],
): Promise<void> {
  const dir = await ownFolder(join(folder, 'host-key'), ids)
  const file = join(dir, 'host_key')
  await writeFile(file, key.dropbear, { mode: 0o600 })
  await chown(file, rootOf(ids), rootOf(ids))
}

/** Write the authorized SSH keys of a sliver, also while it runs. The file is replaced as a whole: the sliver has the folder mounted, not the file. */
export async function writeAuthorizedKeys(
  folder: string,
  keys: readonly string[],
  ids: readonly IdMapping[],
): Promise<void> {
  const dir = await ownFolder(join(folder, 'keys'), ids)
  const file = join(folder, 'authorized_keys')
  await writeFile(file, keys.map((key) => `${key.trim()}\n`).join(''), { mode: 0o600 })
  await chown(file, rootOf(ids), rootOf(ids))
  await rename(file, join(dir, 'authorized_keys'))
}

async function ownFolder(dir: string, ids: readonly IdMapping[]): Promise<string> {
  await mkdir(dir, { recursive: true })
  await chmod(dir, 0o700)
  await chown(dir, rootOf(ids), rootOf(ids))
  return dir
}

function rootOf(ids: readonly IdMapping[]): number {
  return ids[0]?.outside ?? 0
}
