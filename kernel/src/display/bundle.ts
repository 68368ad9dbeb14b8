import { inspect } from 'node:util'

/** Data by MIME type. Text always has `text/plain` too. */
export type Bundle = Readonly<Record<string, unknown>>

/** A value with this method says itself how a notebook shows it. */
export const displaySymbol: unique symbol = Symbol.for('Jupyter.display')

/** A place in the output whose content can be replaced. */
export interface LiveDisplay {
  update(bundle: Bundle): void
}

interface Display {
  display(bundle: Bundle): void
  newDisplay(): LiveDisplay
}

/**
 * Where things are shown: the notebook's cell (`globalThis[Symbol.for('community-lab.display')]`, as this project's kernel gives it), else standard output as text.
 */
export function currentDisplay(): Display {
  const own: unknown = Reflect.get(globalThis, Symbol.for('community-lab.display'))
  return isDisplay(own) ? own : textDisplay
}

/** Give an object a text for `console.log` and a bundle for notebooks, without adding to what it holds. */
export function makeDisplayable<T extends object>(
  value: T,
  views: { text(): string; bundle(): Bundle },
): T {
  Object.defineProperties(value, {
    [inspect.custom]: { value: () => views.text(), configurable: true },
    [displaySymbol]: { value: () => views.bundle(), configurable: true },
  })
  return value
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
