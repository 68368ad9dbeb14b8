import { Readable } from 'node:stream'

/** Options of {@link Stdin}. */
export interface StdinOptions {
  /** Ask the user at the notebook and wait for the answer. Throws when nobody can be asked. */
  ask(): string
  /** Tell whether the running cell has a user to ask. */
  canAsk(): boolean
  /** End the running cell with an error. */
  fail(error: unknown): void
}

/**
 * The standard input of cells, for `readline` and similar. Each line is an answer of the user at the notebook.
 *
 * A reader does not say whether it waits for a line. So the user is asked when the last output is not a complete line, which is how a question ends. Where
 * nobody can be asked, a question ends its cell with an error, and a reader that asks no question gets the end of input.
 */
export class Stdin extends Readable {
  readonly #options: StdinOptions
  #isWanted = false
  #isQuestion = false
  #isScheduled = false

  constructor(options: StdinOptions) {
    // The stream stays open when one reader has finished, because the next cell may read too.
    super({ emitClose: false, autoDestroy: false })
    this.#options = options
    // A paused reader has called `_read` before. Node does not call it again when the reader resumes.
    this.on('resume', () => {
      if (this.#isWanted) this.#schedule()
    })
  }

  /** Note text that was printed. */
  hear(text: string): void {
    if (text === '') return
    this.#isQuestion = !text.endsWith('\n')
    if (this.#isWanted && this.#isQuestion) this.#schedule()
  }

  override _read(): void {
    this.#isWanted = true
    this.#schedule()
  }

  /** Answer after the current code, which may still print its question. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#answer()
    })
  }

  #answer(): void {
    // A reader that uses `readable` events stops the flow too, but waits for data.
    const isPaused = this.readableFlowing === false && this.listenerCount('readable') === 0
    if (!this.#isWanted || isPaused) return
    if (!this.#isQuestion) {
      if (!this.#options.canAsk()) this.#push(null)
      return
    }
    this.#isQuestion = false
    try {
      this.#push(`${this.#options.ask()}\n`)
    } catch (error) {
      this.#options.fail(error)
      // End this input, so that no reader waits for ever. The next cell gets a new one.
      this.#push(null)
    }
  }

  #push(text: string | null): void {
    this.#isWanted = false
    this.push(text)
  }
}
