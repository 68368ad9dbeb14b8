import { inspect } from 'node:util'
import type { Bundle, Display } from './bundle.ts'
import { maybeTslabDisplay } from './tslab-display.ts'

/**
 * Return the display of the current notebook cell: that of this project's kernel (`globalThis[Symbol.for('community-lab.display')]`) or that of stock tslab.
 * Outside of notebooks, text goes to standard output.
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
        // A terminal replaces the old text by the new one. Elsewhere each text is printed below the previous one.
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
