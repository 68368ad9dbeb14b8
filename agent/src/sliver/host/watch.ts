import { isAlive, type ProcessIdentity } from './process.ts'

/** Looks after processes that are not children of this one. */
export interface Watch {
  add(key: string, process: ProcessIdentity): void
  remove(key: string): void
  /** Look no more; settles when the look under way is over. */
  close(): Promise<void>
}

const everyMs = 500

/** Tell of each process that has ended, once. The kernel tells nobody but the parent, so they are looked at, twice a second. */
export function createWatch(onEnded: (key: string) => void): Watch {
  const watched = new Map<string, ProcessIdentity>()
  let looking: Promise<void> = Promise.resolve()
  let isBusy = false

  async function look(): Promise<void> {
    for (const [key, process] of [...watched]) {
      if ((await isAlive(process)) || watched.get(key) !== process) continue
      watched.delete(key)
      onEnded(key)
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
