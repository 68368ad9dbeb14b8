import type { TextSink } from '../context.ts'

const eraseLine = '\r\u001b[K'
const leastColumns = 20

/**
 * Progress that people read: on a terminal what is going on is one line that is drawn again and again, and what has ended is a line above it; elsewhere,
 * as in a file, there is a line for each thing that has ended.
 */
export class ProgressLine {
  readonly #sink: TextSink
  #isDrawn = false

  constructor(sink: TextSink) {
    this.#sink = sink
  }

  /** Show what is going on, until there is something else to show. */
  show(text: string): void {
    if (this.#sink.isTTY !== true) return
    this.#sink.write(eraseLine + fitLine(text, (this.#sink.columns ?? 80) - 1))
    this.#isDrawn = true
  }

  /** Write a line that stays. */
  note(text: string): void {
    this.clear()
    this.#sink.write(`${text}\n`)
  }

  /** Take away what is going on. */
  clear(): void {
    if (this.#isDrawn) this.#sink.write(eraseLine)
    this.#isDrawn = false
  }
}

/** Cut a text to a width in columns. Control characters become blanks, so that it stays one line. */
export function fitLine(text: string, columns: number): string {
  const plain = Array.from(text.replaceAll(/\p{Cc}/gu, ' '))
  const width = Math.max(leastColumns, columns)
  return plain.length <= width ? plain.join('') : `${plain.slice(0, width - 1).join('')}…`
}
