import { Readable } from 'node:stream'

/** What a {@link Stdin} needs. */
export interface StdinOptions {
  /** Ask the person at the notebook, and wait for the answer. Throws when nobody can be asked. */
  ask(): string
  /** Whether the cell that runs now has somebody to ask. */
  canAsk(): boolean
  /** End the cell that runs now with an error. */
  fail(error: unknown): void
}

/**
 * The standard input of cells, for `readline` and the like: each line is an answer of the person at the notebook.
 *
 * A program that reads does not say whether it waits for a line. So the person is asked when the output ends within a line, as a question does. Where nobody can
 * be asked, a question ends its cell with an error, and a program that asks nothing finds the input at its end.
 */
export class Stdin extends Readable {
  readonly #options: StdinOptions
  #isWanted = false
  #isQuestion = false
  #isScheduled = false

  constructor(options: StdinOptions) {
    // It stays open when a reader has finished: the next cell may read too.
    super({ emitClose: false, autoDestroy: false })
    this.#options = options
    // A reader that paused has called `_read` already, and Node does not call it again when the reader goes on.
    this.on('resume', () => {
      if (this.#isWanted) this.#schedule()
    })
  }

  /** Note what was printed. */
  hear(text: string): void {
    if (text === '') return
    this.#isQuestion = !text.endsWith('\n')
    if (this.#isWanted && this.#isQuestion) this.#schedule()
  }

  override _read(): void {
    this.#isWanted = true
    this.#schedule()
  }

  /** Answer after the code that runs now, which may still print its question. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#answer()
    })
  }

  #answer(): void {
    // A reader that uses `readable` events stops the flow too, but does want data.
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
      // This input ends, so that no reader waits for ever. The next cell gets another one.
      this.#push(null)
    }
  }

  #push(text: string | null): void {
    this.#isWanted = false
    this.push(text)
  }
}
