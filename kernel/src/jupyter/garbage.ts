import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** V8's function that collects garbage. Source: V8, src/extensions/gc-extension.cc. */
type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

/** Garbage below this is not worth a collection, in bytes. */
const leastGrowth = 16 * 2 ** 20

/**
 * Gives memory back to the host while nobody waits. V8 collects when memory grows, and so keeps for hours what the last cell has left.
 *
 * Invariant: it collects at most once for each {@link leastGrowth} that the thread's objects have grown.
 */
export class IdleCollection {
  readonly #idleMs: number
  #collect: Collect | null = null
  #kept = 0
  #timer: NodeJS.Timeout | null = null

  /** @param idleMs after so many milliseconds without {@link defer} it collects */
  constructor(idleMs: number) {
    this.#idleMs = idleMs
  }

  /** Note that something was done. */
  defer(): void {
    this.#timer ??= setTimeout(() => this.#run(), this.#idleMs).unref()
    this.#timer.refresh()
  }

  #run(): void {
    if (getHeapStatistics().used_heap_size - this.#kept < leastGrowth) return
    this.#collect ??= findCollect()
    // The only flavor that gives emptied pages back.
    this.#collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    this.#kept = getHeapStatistics().used_heap_size
  }
}

/** The function exists in contexts that are made while V8 is told to expose it. */
function findCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return collect
}
