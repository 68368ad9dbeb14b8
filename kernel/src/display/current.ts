import { inspect } from 'node:util'
import type { Bundle, Display } from './bundle.ts'
import { maybeTslabDisplay } from './tslab-display.ts'

/**
 * Where things are shown: the notebook's cell, of this project's kernel (`globalThis[Symbol.for('community-lab.display')]`) or of stock tslab; else standard
 * output as text.
 */
export function currentDisplay(): Display {
  const own: unknown = Reflect.get(globalThis, Symbol.for('community-lab.display'))
  return isDisplay(own) ? own : (maybeTslabDisplay(textDisplay) ?? textDisplay)
}

const textDisplay: Display = {
  display: (bundle) => void process.stdout.write(`${plainText(bundle)}\n`),
  newDisplay() {
    let lines = 0
    let last = ''
    return {
      update(bundle) {
        const text = plainText(bundle)
        if (text === last) return
        last = text
        // On a terminal the new text takes the place of the old; elsewhere each is a line of its own.
        const back = process.stdout.isTTY && lines > 0 ? `\u001b[${lines}F\u001b[J` : ''
        lines = text.split('\n').length
        process.stdout.write(`${back}${text}\n`)
      },
    }
  },
}

function plainText(bundle: Bundle): string {
  const text = bundle['text/plain'] ?? bundle['text/markdown']
  return typeof text === 'string' ? text : inspect(bundle)
}

function isDisplay(value: unknown): value is Display {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'display') === 'function' &&
    typeof Reflect.get(value, 'newDisplay') === 'function'
  )
}
