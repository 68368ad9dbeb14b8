import type { StreamName } from './protocol.ts'

/** A piece of output on its way to the page. */
export interface StreamPiece {
  readonly cell: number
  readonly name: StreamName | 'notice'
  readonly text: string
}

/** What a {@link StreamBuffer} is made of. */
export interface StreamBufferOptions {
  publish(piece: StreamPiece): void
  /** A clock in milliseconds. */
  now(): number
  /** Call back after that time. */
  schedule(callback: () => void, delayMs: number): void
}

/** Longest that a piece waits for more, in milliseconds. */
export const maxWaitMs = 20
/** Size in characters at which a piece goes at once. */
export const maxPieceLength = 32 * 1024

/**
 * Joins what is printed into few messages, in order: a message per line would choke the page.
 *
 * Invariants: pieces of different cells or streams are never joined; after `flush()` nothing waits.
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

  /** Take some text of a cell's stream, or a notice of the kernel's own. */
  write(cell: number, name: StreamPiece['name'], text: string): void {
    if (text === '') return
    if (cell !== this.#cell || name !== this.#name) this.flush()
    this.#cell = cell
    this.#name = name
    this.#parts.push(text)
    this.#length += text.length
    // While a cell computes without a pause no timer runs. So the time is compared here too.
    const late = this.#options.now() - this.#lastFlushMs >= maxWaitMs
    if (late || this.#length >= maxPieceLength) this.flush()
    else this.#flushLater()
  }

  /** Publish what waits; call it before anything that must come after it. */
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

/** Keep only the last of several texts that a carriage return prints over each other. A progress bar would fill the notebook otherwise. */
function withLastLines(text: string): string {
  if (!text.includes('\r')) return text
  // The beginning of the first line may have been published already. Its carriage return is kept, so that the page prints over that.
  return text.replace(/(^|\n)[^\n]*\r(?=[^\r\n])/gu, (_, start: string) =>
    start === '' ? '\r' : start,
  )
}
