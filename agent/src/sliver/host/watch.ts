import { isAlive as isProcessAlive, type ProcessIdentity } from './process.ts'

/** Looks after processes that are not children of this one. */
export interface Watch {
  add(key: string, process: ProcessIdentity): void
  remove(key: string): void
  /** Stop looking. Settles when the look under way is over. */
  close(): Promise<void>
}

/** Options of {@link createWatch}. */
export interface WatchOptions {
  /** Told of each process that has ended, once. */
  readonly onEnded: (key: string) => void
  /** Told when a process cannot be looked at, once until it can be again. Such a process is looked at further, and does not count as ended. */
  readonly onError: (key: string, error: unknown) => void
  readonly isAlive?: (process: ProcessIdentity) => Promise<boolean>
  readonly everyMs?: number
}

const defaultEveryMs = 500

/** Tell of each process that has ended. The kernel tells nobody but the parent, so they are looked at twice a second. */
export function createWatch(options: WatchOptions): Watch {
  const { onEnded, onError, isAlive = isProcessAlive, everyMs = defaultEveryMs } = options
  const watched = new Map<string, ProcessIdentity>()
  const troubled = new Set<string>()
  let looking: Promise<void> = Promise.resolve()
  let isBusy = false

  async function look(): Promise<void> {
    for (const [key, process] of [...watched]) {
      try {
        const isThere = await isAlive(process)
        troubled.delete(key)
        if (isThere || watched.get(key) !== process) continue
        watched.delete(key)
        onEnded(key)
      } catch (error) {
        // Too many open files, no memory: it says nothing about the process.
        if (!troubled.has(key)) onError(key, error)
        troubled.add(key)
      }
    }
    isBusy = false
  }

  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    looking = look()
  }, everyMs)

  return {
    add: (key, process) => void watched.set(key, process),
    remove: (key) => void watched.delete(key),
    async close() {
      clearInterval(timer)
      watched.clear()
      await looking
    },
  }
}
