import { statfs } from 'node:fs/promises'
import { LabError } from '@community-lab/contract'

/** A signal that also ends when a disk gets too full. */
export interface SpaceGuard extends Disposable {
  readonly signal: AbortSignal
}

/** Options of {@link guardSpace}. */
export interface SpaceGuardOptions {
  /** Whose image it is, for the error. */
  readonly template: string
  /** What must be left of the disk, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
}

/** How often the disk is looked at. Nobody knows before how large an archive is when it is unpacked. */
const everyMs = 100

/**
 * Give a signal to a task that fills the disk of a folder. It aborts with LAB_TEMPLATE_NO_ROOM when less than `keptMiB` of the disk is left.
 * @throws {@link LabError} LAB_TEMPLATE_NO_ROOM when so little is left already.
 */
export async function guardSpace(
  folder: string,
  { template, keptMiB, signal }: SpaceGuardOptions,
): Promise<SpaceGuard> {
  const full = new AbortController()

  async function look(): Promise<void> {
    const { bavail, bsize } = await statfs(folder)
    const kept = keptMiB()
    if (bavail * bsize < kept * 2 ** 20)
      full.abort(new LabError('LAB_TEMPLATE_NO_ROOM', { template, keptMiB: kept }))
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
