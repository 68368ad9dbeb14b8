import { mkdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, resourceUnits } from '@community-lab/contract'
import { runCommand } from './command.ts'

/** The file, in a bundle's folder, of the file system that its `upper` and `work` are in when what it writes is limited. */
export const diskImage = 'disk.img'

/** Options of {@link makeDisk}. */
export interface DiskOptions {
  /** Whose it is, for errors. */
  readonly sliver: string
  /** The size of the file system; its own tables and journal, about a tenth, are of it. */
  readonly sizeMiB: number
  /** What must be left of the node's disk, because it has been promised already; default 0. */
  readonly keptMiB?: number
  readonly signal: AbortSignal
}

/**
 * Move folders of a bundle's folder into a file system of their own: what is written there fills that, not the node's disk. Its size is taken from the
 * node's disk at once, so that a promise made to one sliver is not spent by another.
 *
 * Source: CONFINE node system (an ext4 loop file of exactly the disk asked for).
 *
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM when the node's disk has less; LAB_SLIVER_COMMAND_FAILED when the file system cannot be made.
 */
export async function makeDisk(
  folder: string,
  parts: readonly string[],
  { sliver, sizeMiB, keptMiB = 0, signal }: DiskOptions,
): Promise<void> {
  const image = join(folder, diskImage)
  const content = join(folder, 'content')
  await rm(content, { recursive: true, force: true })
  await mkdir(content)
  for (const part of parts) await rename(join(folder, part), join(content, part))
  const free = Math.max(0, (await freeMiB(folder)) - keptMiB)
  const shortage = { sliver, resource: 'disk', asked: sizeMiB, unit: resourceUnits.disk }
  if (free < sizeMiB) throw new LabError('LAB_SLIVER_NO_ROOM', { ...shortage, free })
  // One command after the other in a shell: this process has much memory, so to start one from it takes longer than to start one from a shell.
  const script = 'fallocate --length "$1" "$2" && shift 2 && exec mkfs.ext4 "$@"'
  const mkfs = ['-q', '-F', '-m', '0', '-i', '8192', '-d', content]
  // A file is zeros where nothing was written: there is nothing to discard, nor to zero in the background once it is mounted.
  const zeros = ['-E', 'nodiscard,assume_storage_prezeroed=1']
  const allocate = ['sh', '-c', script, 'sh', `${sizeMiB}MiB`, image]
  await runCommand([...allocate, ...mkfs, ...zeros, image], { signal })
  await rm(content, { recursive: true })
}

async function freeMiB(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.floor((bavail * bsize) / 2 ** 20)
}
