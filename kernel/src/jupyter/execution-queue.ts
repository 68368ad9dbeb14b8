import type { Message } from './wire/message.ts'

/** What an {@link ExecutionQueue} does with requests. */
export interface ExecutionQueueOptions {
  /** Run one request to its end; returns false when those that came meanwhile are to be aborted. */
  execute(request: Message): Promise<boolean>
  /** Called when a request has ended and is no longer the one that runs. */
  end(request: Message): void
  /** Answer a request that is not run. */
  abort(request: Message): void
}

/** Runs execute requests one after another; after a failure those that were already sent are aborted. */
export class ExecutionQueue {
  readonly #options: ExecutionQueueOptions
  #waiting: Message[] = []
  #running: Message | null = null
  #draining = false

  constructor(options: ExecutionQueueOptions) {
    this.#options = options
  }

  /** The request that runs now. */
  get running(): Message | null {
    return this.#running
  }

  /** Take a request; it runs when those before it have ended. */
  add(request: Message): void {
    this.#waiting.push(request)
    if (!this.#draining) void this.#drain()
  }

  /** Abort all that wait. */
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
      // Before `end`: a question that is answered while a cell runs publishes "busy" for the cell again. That must not come after the cell's "idle".
      this.#running = null
      this.#options.end(next)
      if (!goOn) this.abortWaiting()
    }
    this.#draining = false
  }
}
