import { readFileSync } from 'node:fs'
import process from 'node:process'

/** Loaded before a program: sets the clock that its `Date` reads as many milliseconds forward as a file says. Like the host's clock when it is set, it moves no monotonic clock. */
const { now } = Date
const file = process.env['CLOCK_SHIFT_FILE'] ?? ''
const shiftMs = () => Number(readFileSync(file, 'utf8'))

globalThis.Date = class extends Date {
  constructor(...values) {
    super(...(values.length === 0 ? [now() + shiftMs()] : values))
  }

  static now() {
    return now() + shiftMs()
  }
}
