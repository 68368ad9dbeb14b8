import { fstatSync } from 'node:fs'
import { createInterface } from 'node:readline'
import process from 'node:process'

/** The line that lets go of a lifeline: from then on the process lives by itself. */
export const stayLine = 'stay'

const lookEveryMs = 500

/**
 * Learn of the end of whoever started this process: at the end of standard input where that is a pipe, else when this process has another parent.
 * Calls `onEnd` once with the reason, unless standard input said {@link stayLine} before.
 */
export function holdLifeline(onEnd: (reason: string) => void): void {
  const input = fstatSync(0)
  if (input.isFIFO() || input.isSocket()) {
    let stays = false
    createInterface({ input: process.stdin })
      .on('line', (line) => {
        if (line === stayLine) stays = true
      })
      .on('close', () => {
        if (!stays) onEnd('its standard input ended')
      })
    return
  }
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onEnd('the process that started it has ended')
  }, lookEveryMs)
  timer.unref()
}
