import { inspect } from 'node:util'
import * as ObservablePlot from '@observablehq/plot'
import { auto } from './auto.ts'
import { displaySymbol, type Bundle } from './bundle.ts'
import { figureBundle } from './figure.ts'

/** A mark, or several marks in one. */
interface Plottable {
  readonly ariaLabel?: string
  plot?(): Element
}

/** Let a notebook show a mark that is the last expression of a cell as a figure of its own. Elsewhere its text says how it is drawn. */
export function showAsFigure<T extends object>(mark: T): T {
  Object.defineProperties(mark, {
    [displaySymbol]: {
      value(this: Plottable): Bundle {
        const figure = this.plot?.()
        return figure === undefined ? { 'text/plain': inspect(this) } : figureBundle(figure)
      },
    },
    [inspect.custom]: {
      value(this: Plottable): string {
        return `[mark${this.ariaLabel === undefined ? '' : ` ${this.ariaLabel}`}, which show(mark.plot()) draws]`
      },
    },
  })
  return mark
}

/** Plot's functions that return several marks as one. Such a mark is an array, which has no class of its own. */
const compounds = [
  'auto',
  'bollingerX',
  'bollingerY',
  'boxX',
  'boxY',
  'cluster',
  'differenceX',
  'differenceY',
  'marks',
  'tree',
] as const

/** Return these functions with results that notebooks show as figures. */
export function compoundMarks(): Pick<typeof ObservablePlot, (typeof compounds)[number]> {
  const made = compounds.map((name) => {
    const make = { ...ObservablePlot, auto }[name] as (...given: unknown[]) => object
    return [name, (...given: unknown[]) => showAsFigure(make(...given))]
  })
  return Object.fromEntries(made) as Pick<typeof ObservablePlot, (typeof compounds)[number]>
}
