import { isAlive as isProcessAlive, type ProcessIdentity } from './process.ts'

/** Polls processes that are not children of this one, until it is closed. */
export interface Watch {
  /** Stop polling. Settles when the poll under way is over. */
  close(): Promise<void>
}

/** Options of {@link createWatch}. */
export interface WatchOptions<Watched extends ProcessIdentity> {
  /** The processes to poll, each with a key of its own. Read before each poll. */
  readonly watched: () => Iterable<readonly [key: string, process: Watched]>
  /** Called when a process has ended. It is called again while the process is in `watched`, but only after the last call for its key has settled. */
  readonly onEnded: (key: string) => Promise<void>
  /** Called when a process cannot be read, or when `onEnded` has failed; once until it works again. The process is still polled. */
  readonly onError: (key: string, error: unknown) => void
  /** Tells whether all is well. Default: whether the process still runs. */
  readonly isAlive?: (process: Watched) => boolean | Promise<boolean>
  readonly everyMs?: number
}

const defaultEveryMs = 500

/** Report each process that has ended. The kernel notifies only the parent, so they are polled twice a second. */
export function createWatch<Watched extends ProcessIdentity>(
  options: WatchOptions<Watched>,
): Watch {
  const { watched, onEnded, onError, isAlive = isProcessAlive, everyMs = defaultEveryMs } = options
  const troubled = new Set<string>()
  const handled = new Set<string>()
  let looking: Promise<void> = Promise.resolve()
  let isBusy = false
  let isClosed = false

  async function look(): Promise<void> {
    for (const [key, process] of [...watched()]) {
      if (isClosed) return
      if (handled.has(key)) continue
      try {
        if (!(await isAlive(process))) void handle(key)
        else troubled.delete(key)
      } catch (error) {
        // Too many open files, or no memory. This says nothing about the process.
        noteTrouble(key, error)
      }
    }
  }

  async function handle(key: string): Promise<void> {
    handled.add(key)
    try {
      await onEnded(key)
      troubled.delete(key)
    } catch (error) {
      noteTrouble(key, error)
    } finally {
      handled.delete(key)
    }
  }

  function noteTrouble(key: string, error: unknown): void {
    if (!troubled.has(key)) onError(key, error)
    troubled.add(key)
  }

  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    looking = look().finally(() => {
      isBusy = false
    })
  }, everyMs)

  return {
    async close() {
      isClosed = true
      clearInterval(timer)
      await looking
    },
  }
}
