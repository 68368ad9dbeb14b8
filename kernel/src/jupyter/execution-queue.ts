import type { Message } from './wire/message.ts'

/** Options of {@link ExecutionQueue}. */
export interface ExecutionQueueOptions {
  /** Execute one request. Returns false when the requests that are waiting must be aborted. */
  execute(request: Message): Promise<boolean>
  /** Called when a request has ended and no longer counts as running. */
  end(request: Message): void
  /** Answer a request that is not executed. */
  abort(request: Message): void
}

/** Executes requests one after another. After a failed request, those that were sent before its reply are aborted. */
export class ExecutionQueue {
  readonly #options: ExecutionQueueOptions
  #waiting: Message[] = []
  #running: Message | null = null
  #draining = false

  constructor(options: ExecutionQueueOptions) {
    this.#options = options
  }

  /** The request that runs now; null when none does. */
  get running(): Message | null {
    return this.#running
  }

  /** Add a request. It is executed after those before it. */
  add(request: Message): void {
    this.#waiting.push(request)
    if (!this.#draining) void this.#drain()
  }

  /** Abort all requests that wait. */
  abortWaiting(): void {
    const aborted = this.#waiting
    this.#waiting = []
    for (const request of aborted) this.#options.abort(request)
  }

  async #drain(): Promise<void> {
    this.#draining = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#running = next
      const goOn = await this.#options.execute(next)
      // Reset before `end`: a question that is answered while a cell runs makes the kernel publish "busy" for the cell. That must not come after the cell's
      // "idle".
      this.#running = null
      this.#options.end(next)
      if (!goOn) this.abortWaiting()
    }
    this.#draining = false
  }
}
