import type { Message } from './wire/message.ts'

/** What an {@link ExecutionQueue} does with requests. */
export interface ExecutionQueueOptions {
  /** Run one request to its end; returns false when those that came meanwhile are to be aborted. */
  execute(request: Message): Promise<boolean>
  /** Answer a request that is not run. */
  abort(request: Message): void
}

/** Runs execute requests one after another; after a failure those that were already sent are aborted. */
export class ExecutionQueue {
  readonly #options: ExecutionQueueOptions
  #waiting: Message[] = []
  #running: Message | null = null

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
    if (this.#running === null) void this.#drain()
  }

  /** Abort all that wait. */
  abortWaiting(): void {
    const aborted = this.#waiting
    this.#waiting = []
    for (const request of aborted) this.#options.abort(request)
  }

  async #drain(): Promise<void> {
    for (;;) {
      const request = this.#waiting.shift() ?? null
      this.#running = request
      if (request === null) return
      if (!(await this.#options.execute(request))) this.abortWaiting()
    }
  }
}
