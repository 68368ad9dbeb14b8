import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** V8's function that collects garbage. Source: V8, src/extensions/gc-extension.cc. */
type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

/** The memory that V8 holds must grow by this much before a collection is worth its time, in bytes. */
const leastGrowth = 8 * 2 ** 20

/** Options of an {@link IdleCollection}. */
export interface IdleCollectionOptions {
  /** It collects after this time without {@link IdleCollection.defer}, in milliseconds. */
  readonly idleMs: number
  /** It does not collect while the thread's objects take more than this, in bytes. A collection stops the thread for about 1 ms per MiB. Default: no limit. */
  readonly mostBytes?: number
  /** Tell whether the thread may be stopped now. If not, it does not collect before the next {@link IdleCollection.defer}. Default: it may. */
  mayCollect?(): boolean
  /** Called after each collection, for work that it has made slow. What this leaves does not count as growth. */
  onCollected?(): void
}

/**
 * Returns memory to the operating system during idle time. V8 only collects when memory grows, so it would keep the garbage of the last cell for hours.
 *
 * Invariant: it collects at most once for each {@link leastGrowth} that the memory of the thread's objects has grown, with the garbage and the
 * empty pages in it.
 */
export class IdleCollection {
  readonly #options: IdleCollectionOptions
  #collect: Collect | null = null
  #kept = 0
  #timer: NodeJS.Timeout | null = null

  constructor(options: IdleCollectionOptions) {
    this.#options = options
  }

  /** Note activity, which postpones the collection. */
  defer(): void {
    this.#timer ??= setTimeout(() => this.#run(), this.#options.idleMs).unref()
    this.#timer.refresh()
  }

  #run(): void {
    const { mostBytes = Infinity, mayCollect } = this.#options
    const { used_heap_size: used, total_physical_size: held } = getHeapStatistics()
    if (held - this.#kept < leastGrowth || used > mostBytes || mayCollect?.() === false) return
    this.collect()
  }

  /** Collect now. */
  collect(): void {
    this.#collect ??= findCollect()
    // The only flavor that returns empty pages to the operating system.
    this.#collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    this.#options.onCollected?.()
    this.#kept = getHeapStatistics().total_physical_size
  }
}

/** The function exists in contexts that are created while V8 has the option to expose it. */
function findCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return collect
}
