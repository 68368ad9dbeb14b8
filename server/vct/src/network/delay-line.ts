/** An item that leaves a {@link DelayLine} a fixed time after it was added. */
interface Waiting<T> {
  readonly item: T
  readonly dueMs: number
}

/** Options of a {@link DelayLine}. */
export interface DelayLineOptions<T> {
  readonly delayMs: number
  /** The most waiting items. Further items are dropped, as by a full radio buffer. */
  readonly maxItems: number
  readonly release: (item: T) => void
  /** A monotonic clock, in milliseconds with fractions. */
  readonly now: () => number
  /** Call back once, when `waitMs` (a whole number of at least 1) has passed. */
  readonly schedule: (callback: () => void, waitMs: number) => void
}

/**
 * A queue that items leave in order, each after the same time. Timers count whole milliseconds, so items that are due within half a millisecond leave together
 * with those that are due now. So items are at most half a millisecond late or early, with equal frequency, instead of always late.
 */
export class DelayLine<T> {
  #queue: Waiting<T>[] = []
  #scheduled = false
  #dropped = 0
  readonly #options: DelayLineOptions<T>

  constructor(options: DelayLineOptions<T>) {
    this.#options = options
  }

  /** The number of items that were dropped because the line was full. */
  get dropped(): number {
    return this.#dropped
  }

  /** Add an item. */
  push(item: T): void {
    if (this.#queue.length >= this.#options.maxItems) {
      this.#dropped += 1
      return
    }
    this.#queue.push({ item, dueMs: this.#options.now() + this.#options.delayMs })
    this.#arm()
  }

  #arm(): void {
    const [first] = this.#queue
    if (first === undefined || this.#scheduled) return
    this.#scheduled = true
    const waitMs = Math.max(1, Math.round(first.dueMs - this.#options.now()))
    this.#options.schedule(() => {
      this.#scheduled = false
      this.#releaseDue()
      this.#arm()
    }, waitMs)
  }

  #releaseDue(): void {
    const horizon = this.#options.now() + 0.5
    const kept = this.#queue.findIndex((waiting) => waiting.dueMs > horizon)
    const due = this.#queue.splice(0, kept === -1 ? this.#queue.length : kept)
    for (const { item } of due) this.#options.release(item)
  }
}
