import { chmod, chown, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { IdMapping } from '../domain/ids.ts'
import { runCommand } from '../host/command.ts'
import type { HostKey } from '../host/host-key.ts'
import { shiftOwners } from '../template/shift.ts'
import { removeTree } from './records.ts'

/** The folders of a sliver that it has read-only, and where. */
export const boundFolders = {
  keys: '/root/.ssh',
  'host-key': '/etc/dropbear',
  measure: '/run/community-lab',
} as const

/** Where its SSH server finds its host key. */
export const hostKeyPath = '/etc/dropbear/host_key'

/** Make a sliver's root anew from its template: a copy with its own ids beneath, nothing written yet above. */
export async function makeRoot(
  folder: string,
  template: string,
  { ids, signal }: { readonly ids: readonly IdMapping[]; readonly signal: AbortSignal },
): Promise<void> {
  for (const part of ['lower', 'upper', 'work', 'stage']) await removeTree(join(folder, part))
  const lower = join(folder, 'lower')
  await runCommand(['cp', '--archive', '--reflink=auto', '--', template, lower], { signal })
  await shiftOwners(lower, ids)
  for (const part of ['upper', 'work', 'stage']) await mkdir(join(folder, part))
  const upper = join(folder, 'upper')
  await chmod(upper, 0o755)
  await chown(upper, rootOf(ids), rootOf(ids))
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
