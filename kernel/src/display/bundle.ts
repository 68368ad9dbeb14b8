import { inspect } from 'node:util'

/** Data by MIME type. Text always has `text/plain` too. */
export type Bundle = Readonly<Record<string, unknown>>

/** A value with this method says itself how a notebook shows it. */
export const displaySymbol: unique symbol = Symbol.for('Jupyter.display')

/** A place in the output whose content can be replaced. */
export interface LiveDisplay {
  update(bundle: Bundle): void
}

/** Where a cell's output goes. */
export interface Display {
  display(bundle: Bundle): void
  newDisplay(): LiveDisplay
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
