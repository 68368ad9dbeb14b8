import type { TextSink } from '../context.ts'

const eraseLine = '\r\u001b[K'
const leastColumns = 20

/**
 * Progress for people. On a terminal, the current work is one line that is redrawn, and finished work is a line above it. In a file, only finished work
 * has a line.
 */
export class ProgressLine {
  readonly #sink: TextSink
  #isDrawn = false

  constructor(sink: TextSink) {
    this.#sink = sink
  }

  /** Show the current work in place of the text before. */
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

  /** Erase the line of the current work. */
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
