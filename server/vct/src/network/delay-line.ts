/** Something that leaves a {@link DelayLine} a fixed time after it came in. */
interface Waiting<T> {
  readonly item: T
  readonly dueMs: number
}

/** Options of a {@link DelayLine}. */
export interface DelayLineOptions<T> {
  readonly delayMs: number
  /** What more comes is dropped, as a full radio buffer does. */
  readonly maxItems: number
  readonly release: (item: T) => void
  /** A monotonic clock, in milliseconds with fractions. */
  readonly now: () => number
  /** Call back once, not before `waitMs` (a whole number of at least 1) is over. */
  readonly schedule: (callback: () => void, waitMs: number) => void
}

/**
 * A line that everything passes in order and in the same time. Timers count whole milliseconds, so what is due within half of one leaves with
 * what is due now: late by half a millisecond at most and early as often, instead of always late.
 */
export class DelayLine<T> {
  #queue: Waiting<T>[] = []
  #scheduled = false
  #dropped = 0
  readonly #options: DelayLineOptions<T>

  constructor(options: DelayLineOptions<T>) {
    this.#options = options
  }

  /** How many were dropped because the line was full. */
  get dropped(): number {
    return this.#dropped
  }

  /** Put something in. */
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
