import { fstatSync } from 'node:fs'
import { createInterface } from 'node:readline'
import process from 'node:process'

/** The line that ends a lifeline. From then on the process no longer depends on its parent. */
export const stayLine = 'stay'

const lookEveryMs = 500

/**
 * Notice the end of the process that started this one: by the end of standard input where that is a pipe, and otherwise by a change of the parent.
 *
 * Calls `onEnd` once with the reason, unless standard input contained {@link stayLine} before.
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
