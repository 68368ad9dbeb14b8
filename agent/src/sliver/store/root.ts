import { chmod, chown, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../../errno.ts'
import type { IdMapping } from '../domain/ids.ts'
import { runCommand } from '../host/command.ts'
import { diskImage, makeDisk, type DiskOptions } from '../host/disk.ts'
import type { HostKey } from '../host/host-key.ts'
import { shiftOwners } from '../template/shift.ts'
import { removeTrees } from './records.ts'

/** The folders of a sliver that it has read-only, and where. */
export const boundFolders = {
  keys: '/root/.ssh',
  'host-key': '/etc/dropbear',
  measure: '/run/community-lab',
} as const

/** Where its SSH server finds its host key. */
export const hostKeyPath = '/etc/dropbear/host_key'

/** How a sliver's root is made from its template. */
export interface RootOptions {
  readonly ids: readonly IdMapping[]
  /** `share`: what is written is all it has of its own; `copy`: the template too, given to its ids. */
  readonly from: 'share' | 'copy'
  /** The file system for what it writes; null where that cannot be limited. */
  readonly disk: Omit<DiskOptions, 'signal'> | null
  readonly signal: AbortSignal
}

/** Make a sliver's root: its template below, and above it an empty layer for what the sliver writes. What it had written before is removed. */
export async function makeRoot(
  folder: string,
  template: string,
  { ids, from, disk, signal }: RootOptions,
): Promise<void> {
  const parts = ['lower', 'upper', 'work', 'stage', diskImage]
  await removeTrees(parts.map((part) => join(folder, part)))
  for (const part of ['upper', 'work', 'stage']) await mkdir(join(folder, part))
  const upper = join(folder, 'upper')
  await chmod(upper, 0o755)
  await chown(upper, rootOf(ids), rootOf(ids))
  if (disk !== null) await makeDisk(folder, ['upper', 'work'], { ...disk, signal })
  if (from === 'share') return
  const lower = join(folder, 'lower')
  await runCommand(['cp', '--archive', '--reflink=auto', '--', template, lower], { signal })
  await shiftOwners(lower, ids)
}

/** Tell whether a sliver has a copy of its template, or shares it. */
export async function hasCopy(folder: string): Promise<boolean> {
  return exists(join(folder, 'lower'))
}

/** Write a sliver's host key, which only its root may read. */
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

/** Write the SSH keys that a sliver lets in, whole, also while it runs: it sees the folder, not the file. */
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
