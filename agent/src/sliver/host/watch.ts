/** Polls something of each sliver, until it is closed. */
export interface Watch {
  /** Stop polling. Settles when the poll under way is over. */
  close(): Promise<void>
}

/** Options of {@link createWatch}. */
export interface WatchOptions<Watched> {
  /** What to poll, each with a key of its own. Read before each poll. */
  readonly watched: () => Iterable<readonly [key: string, watched: Watched]>
  readonly isWell: (watched: Watched) => boolean | Promise<boolean>
  /** Called when something is not well. It is called again while that is so, but only after the last call for its key has settled. */
  readonly onUnwell: (key: string) => Promise<void>
  /** Called when something cannot be polled, or when `onUnwell` has failed; once until it works again. It is still polled. */
  readonly onError: (key: string, error: unknown) => void
  /** Returns the time until the next poll, in milliseconds. It is called after each poll. */
  readonly pauseMs: () => number
}

/** Poll what the kernel does not notify about, such as the end of a process that is not a child of this one. */
export function createWatch<Watched>(options: WatchOptions<Watched>): Watch {
  const { watched, isWell, onUnwell, onError, pauseMs } = options
  const troubled = new Set<string>()
  const handled = new Set<string>()
  let looking: Promise<void> = Promise.resolve()
  let isClosed = false

  async function look(): Promise<void> {
    for (const [key, one] of [...watched()]) {
      if (isClosed) return
      if (handled.has(key)) continue
      try {
        if (!(await isWell(one))) void handle(key)
        else troubled.delete(key)
      } catch (error) {
        // Too many open files, or no memory. This says nothing about what is watched.
        reportError(key, error)
      }
    }
  }

  async function handle(key: string): Promise<void> {
    handled.add(key)
    try {
      await onUnwell(key)
      troubled.delete(key)
    } catch (error) {
      reportError(key, error)
    } finally {
      handled.delete(key)
    }
  }

  function reportError(key: string, error: unknown): void {
    if (!troubled.has(key)) onError(key, error)
    troubled.add(key)
  }

  let timer = waitForNext()

  function waitForNext(): NodeJS.Timeout {
    return setTimeout(() => {
      looking = look().finally(() => {
        if (!isClosed) timer = waitForNext()
      })
    }, pauseMs())
  }

  return {
    async close() {
      isClosed = true
      clearTimeout(timer)
      await looking
    },
  }
}
