import { statfs } from 'node:fs/promises'

/** Options of {@link watchDisk}. */
export interface DiskWatchOptions {
  /** A folder on the disk. */
  readonly dir: string
  /** So much must be free, in bytes. */
  readonly minFreeBytes: number
  /** Time between two looks, in milliseconds. */
  readonly everyMs: number
  /** Called when the disk's state has changed. */
  onChange(isShort: boolean): void
}

/** Watches how much of a disk is free. */
export interface DiskWatch extends Disposable {
  /** What is wrong; null while enough is free. */
  readonly shortage: string | null
  /** Look now. */
  check(): Promise<void>
}

/** After a shortage so much more must be free than the least. */
const recovery = 1.1

/** Watch a disk. What cannot be asked for its space is taken to have enough. */
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
      // The folder is there while the store is; a disk that fails shows in the store's own work.
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
