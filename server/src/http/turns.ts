import { LabError } from '@community-lab/contract'

/** The limits of work for readers. */
export interface TurnLimits {
  /** The most turns at the same time. */
  readonly atOnce: number
  /** How long a turn rests before another gets it, as a share of the time that its work took. With 1, half of the time is free for other work. */
  readonly restShare: number
  /** The most requests that wait: of one asker, and of all. */
  readonly waitingOfOne: number
  readonly waiting: number
}

/** The clock that turns are measured by. */
export interface TurnClock {
  /** A monotonic clock, in milliseconds. */
  nowMs(): number
  /** Call back after a time, in milliseconds. */
  after(ms: number, callback: () => void): void
}

/** Shares work among askers. */
export interface Turns {
  /**
   * Wait for a turn. Returns the function that ends it. Askers get turns one after the other, however many requests each of them has waiting.
   *
   * @throws {@link LabError} LAB_SERVER_BUSY when too many wait; the reason of the signal when it is aborted.
   */
  take(asker: string, signal: AbortSignal): Promise<() => void>
}

/** In how many seconds a request that finds no room to wait is told to come again. */
const againAfterS = 5

const hostClock: TurnClock = {
  nowMs: () => performance.now(),
  after: (ms, callback) => void setTimeout(callback, ms).unref(),
}

/** Create turns. */
export function createTurns(
  { atOnce, restShare, waitingOfOne, waiting: mostWaiting }: TurnLimits,
  clock: TurnClock = hostClock,
): Turns {
  const queues = new Map<string, (() => void)[]>()
  let free = atOnce
  let waiting = 0

  function begin(): () => void {
    free -= 1
    const beganMs = clock.nowMs()
    let hasEnded = false
    return () => {
      if (hasEnded) return
      hasEnded = true
      const restMs = (clock.nowMs() - beganMs) * restShare
      if (restMs > 0) clock.after(restMs, giveBack)
      else giveBack()
    }
  }

  function giveBack(): void {
    free += 1
    const [first] = queues
    if (first === undefined) return
    const [asker, [start]] = first
    leave(asker, start)
    // The asker's other requests wait behind those of all others.
    const rest = queues.get(asker)
    if (rest !== undefined) {
      queues.delete(asker)
      queues.set(asker, rest)
    }
    start?.()
  }

  function leave(asker: string, start: (() => void) | undefined): void {
    const queue = queues.get(asker)
    const at = start === undefined ? -1 : (queue?.indexOf(start) ?? -1)
    if (queue === undefined || at < 0) return
    queue.splice(at, 1)
    waiting -= 1
    if (queue.length === 0) queues.delete(asker)
  }

  return {
    take: async (asker, signal) => {
      signal.throwIfAborted()
      if (free > 0) return begin()
      const queue = queues.get(asker) ?? []
      if (waiting >= mostWaiting || queue.length >= waitingOfOne)
        throw new LabError('LAB_SERVER_BUSY', { retryAfterS: againAfterS })
      const { promise, resolve, reject } = Promise.withResolvers<() => void>()
      const start = (): void => {
        signal.removeEventListener('abort', giveUp)
        resolve(begin())
      }
      const giveUp = (): void => {
        leave(asker, start)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queues.set(asker, queue)
      queue.push(start)
      waiting += 1
      return promise
    },
  }
}
