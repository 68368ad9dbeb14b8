import { statfs } from 'node:fs/promises'

/** Options of {@link watchDisk}. */
export interface DiskWatchOptions {
  /** A folder on the disk. */
  readonly dir: string
  /** The least free space, in bytes. */
  readonly minFreeBytes: number
  /** The time between two checks, in milliseconds. */
  readonly everyMs: number
  /** Called when the shortage begins or ends. */
  onChange(isShort: boolean): void
}

/** Watches the free space of a disk. */
export interface DiskWatch extends Disposable {
  /** A sentence about the shortage; null while enough is free. */
  readonly shortage: string | null
  /** Check now. */
  check(): Promise<void>
}

/** A shortage ends when the free space is at least the least free space times this factor. */
const recovery = 1.1

/** Watch a disk. A disk whose free space cannot be read counts as having enough. */
export async function watchDisk(options: DiskWatchOptions): Promise<DiskWatch> {
  const { dir, minFreeBytes, everyMs, onChange } = options
  let shortage: string | null = null

  async function check(): Promise<void> {
    const { bavail, bsize } = await statfs(dir)
    const freeBytes = bavail * bsize
    const wasShort = shortage !== null
    const isShort = freeBytes < (wasShort ? minFreeBytes * recovery : minFreeBytes)
    shortage = isShort
      ? `the disk of ${dir} has ${toMiB(freeBytes)} MiB free, and samples are taken from ${toMiB(minFreeBytes)} MiB on; free some space`
      : null
    if (isShort !== wasShort) onChange(isShort)
  }

  await check()
  const timer = setInterval(() => {
    check().catch(() => {
      // The folder exists while the store exists. A failing disk causes errors of the store itself.
    })
  }, everyMs)
  timer.unref()
  return {
    get shortage() {
      return shortage
    },
    check,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

function toMiB(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024)
}
