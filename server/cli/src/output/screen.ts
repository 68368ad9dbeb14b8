import type { Context, TextSink } from '../context.ts'

const toOwnScreen = '\u001b[?1049h\u001b[2J'
const toScreenBefore = '\u001b[?1049l'
const toTop = '\u001b[H'
const eraseRestOfLine = '\u001b[K'
const eraseBelow = '\u001b[J'
// The terminal cuts long lines itself meanwhile.
const [stopWrapping, wrapAgain] = ['\u001b[?7l', '\u001b[?7h']

/** A text that is drawn again and again on a screen of its own, as by `watch`. What the terminal showed before comes back at the end, with the last text below it. */
export class Screen {
  readonly #sink: TextSink
  #lines: readonly string[] = []
  #isOpen = false

  constructor(sink: TextSink) {
    this.#sink = sink
  }

  /** Draw a line that says how things are, and a text. What does not fit is counted. */
  draw(status: string, text: string): void {
    this.#lines = text.replace(/\n$/u, '').split('\n')
    const room = Math.max(1, (this.#sink.rows ?? 24) - 3)
    const hidden = this.#lines.length - room
    const shown =
      hidden <= 0
        ? this.#lines
        : [...this.#lines.slice(0, room - 1), `… ${hidden + 1} more lines: make the window higher`]
    const frame = [status, '', ...shown].map((line) => `${line}${eraseRestOfLine}\n`).join('')
    const opening = this.#isOpen ? '' : toOwnScreen
    this.#isOpen = true
    this.#sink.write(`${opening}${toTop}${stopWrapping}${frame}${eraseBelow}${wrapAgain}`)
  }

  /** Go back to the screen of before, and write the last text there. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#sink.write(`${toScreenBefore}${this.#lines.join('\n')}\n`)
  }
}

/** Return what a function writes to the output of a context. */
export function capture(context: Context, write: (context: Context) => void): string {
  const { out } = context
  let text = ''
  const sink: TextSink = {
    write: (part) => (text += part),
    ...(out.isTTY === undefined ? {} : { isTTY: out.isTTY }),
    ...(out.columns === undefined ? {} : { columns: out.columns }),
  }
  write({ ...context, out: sink })
  return text
}
