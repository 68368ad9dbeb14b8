import { inspect } from 'node:util'

/** Data by MIME type. Every bundle has `text/plain`. */
export type Bundle = Readonly<Record<string, unknown>>

/** A notebook shows a value that has this method by calling it. */
export const displaySymbol: unique symbol = Symbol.for('Jupyter.display')

/** A part of the output whose content can be replaced. */
export interface LiveDisplay {
  update(bundle: Bundle): void
}

/** Where a cell's output goes. */
export interface Display {
  display(bundle: Bundle): void
  newDisplay(): LiveDisplay
}

/** Give an object a text for `console.log` and a bundle for notebooks. Both are non-enumerable, so they do not appear among its members. */
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
