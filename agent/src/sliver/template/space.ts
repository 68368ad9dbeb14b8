import { statfs } from 'node:fs/promises'
import type { LabError } from '@community-lab/contract'

/** A signal that is also aborted when a disk gets too full. */
export interface SpaceGuard extends Disposable {
  readonly signal: AbortSignal
}

/** The most that a task may put on a disk. */
export interface MostSpace {
  readonly files: number
  readonly mib: number
}

/** The share of a disk's files (inodes) that must stay free for slivers and the node itself. */
const filesKept = 0.1

/** Options of {@link guardSpace}. */
export interface SpaceGuardOptions {
  /** Make the error of a disk that is too full; `isOutOfFiles`: it lacks files (inodes), not bytes. */
  readonly tooFull: (keptMiB: number, isOutOfFiles: boolean) => LabError
  /** What the task may put on the disk at most, and the error of one that exceeds it; `most` is in words, such as "500000 files". Default: there is no limit. */
  readonly bounds?: { readonly most: MostSpace; readonly exceeded: (most: string) => LabError }
  /** Return the disk space that must stay free, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
}

/** The interval of checks, in milliseconds. They are needed because the size of an unpacked archive is not known in advance. */
const everyMs = 100

/**
 * Return a signal for a task that fills the disk of a folder. It is aborted with the error of `tooFull` when less than `keptMiB` of the disk, or a tenth of its files,
 * is free; and with that of `bounds` when more comes to the disk than these allow. What others write meanwhile counts, too, so the bounds are far above what a task needs.
 * @throws {@link LabError} that of `tooFull` when so little is free already.
 */
export async function guardSpace(
  folder: string,
  { tooFull, bounds, keptMiB, signal }: SpaceGuardOptions,
): Promise<SpaceGuard> {
  const full = new AbortController()

  async function look(): Promise<void> {
    const { bavail, bsize, files, ffree } = await statfs(folder)
    const kept = keptMiB()
    // Some file systems make files as they need them, and count none.
    const isOutOfFiles = files > 0 && ffree < files * filesKept
    if (bavail * bsize < kept * 2 ** 20 || isOutOfFiles) full.abort(tooFull(kept, isOutOfFiles))
    if (bounds === undefined) return
    const { most, exceeded } = bounds
    const newMiB = (before.bavail * before.bsize - bavail * bsize) / 2 ** 20
    if (before.ffree - ffree > most.files) full.abort(exceeded(`${most.files} files`))
    if (newMiB > most.mib) full.abort(exceeded(`${most.mib} MiB`))
  }

  const before = await statfs(folder)
  await look()
  full.signal.throwIfAborted()
  const timer = setInterval(() => {
    look().catch((error: unknown) => full.abort(error))
  }, everyMs)
  return {
    signal: AbortSignal.any([signal, full.signal]),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
