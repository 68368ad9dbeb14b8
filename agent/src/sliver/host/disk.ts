import { mkdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError, resourceUnits } from '@community-lab/contract'
import { runCommand } from './command.ts'

/** The file in a bundle's folder with the file system of `upper` and `work`, when the sliver's disk space is limited. */
export const diskImage = 'disk.img'
/** The folder in which the content of that file system is collected while it is made. */
export const diskContent = 'disk-content'

/** Options of {@link makeDisk}. */
export interface DiskOptions {
  /** The id of the sliver, for errors. */
  readonly sliver: string
  /** The size of the file system. Its own tables and journal take about a tenth of it. */
  readonly sizeMiB: number
  /** The space on the node's disk that must stay free because it is promised to others, in MiB; default 0. */
  readonly keptMiB?: number
  readonly signal: AbortSignal
}

/**
 * Move folders of a bundle's folder into their own file system, so that what is written there cannot fill the node's disk. Its whole size is allocated on the
 * node's disk at once, so that what is promised to one sliver is not used by another.
 *
 * Source: CONFINE node system (an ext4 loop file of exactly the disk asked for).
 *
 * @throws {@link LabError} LAB_SLIVER_NO_ROOM when the node's disk has less; LAB_DATA_TOO_LARGE when the folders do not fit; LAB_SLIVER_COMMAND_FAILED when the file system cannot be made.
 */
export async function makeDisk(
  folder: string,
  parts: readonly string[],
  { sliver, sizeMiB, keptMiB = 0, signal }: DiskOptions,
): Promise<void> {
  const image = join(folder, diskImage)
  const content = join(folder, diskContent)
  await rm(content, { recursive: true, force: true })
  await mkdir(content)
  for (const part of parts) await rename(join(folder, part), join(content, part))
  const free = Math.max(0, (await freeMiB(folder)) - keptMiB)
  const shortage = { sliver, resource: 'disk', asked: sizeMiB, unit: resourceUnits.disk }
  if (free < sizeMiB) throw new LabError('LAB_SLIVER_NO_ROOM', { ...shortage, free })
  // One shell runs both commands: this process uses much memory, so it starts a process more slowly than a shell does.
  const script = 'fallocate --length "$1" "$2" && shift 2 && exec mkfs.ext4 "$@"'
  const mkfs = ['-q', '-F', '-m', '0', '-i', '8192', '-d', content]
  // A new file reads as zeros, so there is nothing to discard, and nothing to zero in the background after mounting.
  const zeros = ['-E', 'nodiscard,assume_storage_prezeroed=1']
  const allocate = ['sh', '-c', script, 'sh', `${sizeMiB}MiB`, image]
  await runCommand([...allocate, ...mkfs, ...zeros, image], { signal }).catch((error: unknown) => {
    if (!isTooSmall(error)) throw error
    throw new LabError('LAB_DATA_TOO_LARGE', { what: 'MiB', limit: sizeMiB }, { cause: error })
  })
  await rm(content, { recursive: true })
}

/** Tell whether a file system had too few blocks or inodes for its content. Source: e2fsprogs, EXT2_ET_BLOCK_ALLOC_FAIL and EXT2_ET_INODE_ALLOC_FAIL. */
function isTooSmall(error: unknown): boolean {
  return (
    LabError.is(error, 'LAB_SLIVER_COMMAND_FAILED') &&
    /Could not allocate (?:block|inode) in ext2 filesystem/u.test(error.details.reason)
  )
}

async function freeMiB(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.floor((bavail * bsize) / 2 ** 20)
}
