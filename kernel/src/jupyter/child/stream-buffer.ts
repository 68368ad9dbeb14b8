import type { StreamName } from './protocol.ts'

/** A piece of output that waits to be sent. */
export interface StreamPiece {
  readonly cell: number
  readonly name: StreamName | 'notice'
  readonly text: string
}

/** Options of {@link StreamBuffer}. */
export interface StreamBufferOptions {
  publish(piece: StreamPiece): void
  /** A clock in milliseconds. */
  now(): number
  /** Call a function after a delay. */
  schedule(callback: () => void, delayMs: number): void
}

/** The longest time that output waits for more output, in milliseconds. */
export const maxWaitMs = 20
/** A piece of this many characters is sent at once. */
export const maxPieceLength = 32 * 1024

/**
 * Joins printed text into few messages, in order. A message for each line would overload the page.
 *
 * Invariants: text of different cells or streams is never joined; after `flush()` nothing waits.
 */
export class StreamBuffer {
  readonly #options: StreamBufferOptions
  #cell = 0
  #name: StreamPiece['name'] = 'stdout'
  #parts: string[] = []
  #length = 0
  #lastFlushMs = -Infinity
  #scheduled = false

  constructor(options: StreamBufferOptions) {
    this.#options = options
  }

  /** Add text of a cell's stream, or a notice of the kernel. */
  write(cell: number, name: StreamPiece['name'], text: string): void {
    if (text === '') return
    if (cell !== this.#cell || name !== this.#name) this.flush()
    this.#cell = cell
    this.#name = name
    this.#parts.push(text)
    this.#length += text.length
    // No timer fires while a cell computes without a pause, so compare the time here too.
    const late = this.#options.now() - this.#lastFlushMs >= maxWaitMs
    if (late || this.#length >= maxPieceLength) this.flush()
    else this.#flushLater()
  }

  /** Send everything that waits. Call it before sending anything that must come after it. */
  flush(): void {
    if (this.#parts.length === 0) return
    const text = withLastLines(this.#parts.join(''))
    const piece = { cell: this.#cell, name: this.#name, text }
    this.#parts = []
    this.#length = 0
    this.#lastFlushMs = this.#options.now()
    this.#options.publish(piece)
  }

  #flushLater(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.schedule(() => {
      this.#scheduled = false
      this.flush()
    }, maxWaitMs)
  }
}

/** Of several texts that overwrite each other by carriage returns, keep only the last. Otherwise a progress bar would fill the notebook. */
function withLastLines(text: string): string {
  if (!text.includes('\r')) return text
  // The beginning of the first line may have been sent before. Keep its carriage return, so that the page overwrites that.
  return text.replace(/(^|\n)[^\n]*\r(?=[^\r\n])/gu, (_, start: string) =>
    start === '' ? '\r' : start,
  )
}
