import { statfs } from 'node:fs/promises'
import type { LabError } from '@community-lab/contract'

/** A signal that is also aborted when a disk gets too full. */
export interface SpaceGuard extends Disposable {
  readonly signal: AbortSignal
}

/** Options of {@link guardSpace}. */
export interface SpaceGuardOptions {
  /** Make the error of a disk that is too full. */
  readonly tooFull: (keptMiB: number) => LabError
  /** Return the disk space that must stay free, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
}

/** The interval of checks, in milliseconds. They are needed because the size of an unpacked archive is not known in advance. */
const everyMs = 100

/**
 * Return a signal for a task that fills the disk of a folder. It is aborted with the error of `tooFull` when less than `keptMiB` of the disk is free.
 * @throws {@link LabError} that of `tooFull` when so little is free already.
 */
export async function guardSpace(
  folder: string,
  { tooFull, keptMiB, signal }: SpaceGuardOptions,
): Promise<SpaceGuard> {
  const full = new AbortController()

  async function look(): Promise<void> {
    const { bavail, bsize } = await statfs(folder)
    const kept = keptMiB()
    if (bavail * bsize < kept * 2 ** 20) full.abort(tooFull(kept))
  }

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
