// @ts-check

/**
 * Format a duration for people.
 * @param {number} ms milliseconds
 */
export function formatDuration(ms) {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/**
 * Cut a line to a width, and remove the escape sequences of colours.
 * @param {string} text @param {number} width columns, at least 2
 */
export function fitLine(text, width) {
  // eslint-disable-next-line no-control-regex -- escapes are control characters
  const plain = text
    .replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/gu, '')
    .replaceAll(/[\u0000-\u001f]/gu, ' ')
  return plain.length <= width ? plain : plain.slice(0, width - 1) + '…'
}

/**
 * @typedef {object} Output the stream for progress
 * @property {(text: string) => unknown} write
 * @property {boolean} [isTTY]
 * @property {number} [columns]
 */

/**
 * The progress of the set-up. On a terminal, each step has one line, which shows its time and the last line of its command's output. Elsewhere, as in a file,
 * each step has one line after its end. Steps with nothing to do print nothing.
 */
export class Report {
  #output
  #began = Date.now()
  #steps = 0
  /** @type {{ name: string, began: number, detail: string, timer: NodeJS.Timeout | null } | null} */
  #current = null

  /** @param {Output} output */
  constructor(output) {
    this.#output = output
  }

  /** The number of steps that had something to do. */
  get steps() {
    return this.#steps
  }

  /** @param {string} name */
  begin(name) {
    this.#steps += 1
    const timer = this.#output.isTTY === true ? setInterval(() => this.#draw(), 200) : null
    this.#current = { name, began: Date.now(), detail: '', timer }
    if (timer !== null) this.#draw()
  }

  /** Show the current work of the step. @param {string} text */
  detail(text) {
    if (this.#current !== null) this.#current.detail = text
  }

  /** @param {'done' | 'failed' | 'stopped'} how */
  end(how) {
    const step = this.#current
    if (step === null) return
    if (step.timer !== null) {
      clearInterval(step.timer)
      this.#output.write('\r\u001b[K')
    }
    this.#current = null
    this.#output.write(`set-up: ${step.name}: ${how}, ${formatDuration(Date.now() - step.began)}\n`)
  }

  /** Print a line that stays. @param {string} text */
  note(text) {
    if (this.#current?.timer) this.#output.write('\r\u001b[K')
    this.#output.write(`set-up: ${text}\n`)
  }

  /** Print the last line. */
  close() {
    const took = formatDuration(Date.now() - this.#began)
    this.note(this.#steps === 0 ? `nothing to do (${took})` : `ready (${took})`)
  }

  #draw() {
    const step = this.#current
    if (step === null) return
    const took = formatDuration(Date.now() - step.began)
    const line = `set-up: ${step.name} … ${took}  ${step.detail}`
    this.#output.write('\r\u001b[K' + fitLine(line, Math.max(20, (this.#output.columns ?? 80) - 1)))
  }
}
