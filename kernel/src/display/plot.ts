import * as ObservablePlot from '@observablehq/plot'
import { figureDocument } from './figure.ts'

/**
 * Observable Plot, drawing without a browser: `Plot.plot` and `mark.plot()` make their elements in a document of their own unless they are given one.
 * Show what they return with `show`.
 */
export const Plot: typeof ObservablePlot = {
  ...ObservablePlot,
  plot: (options = {}) => ObservablePlot.plot({ document: figureDocument(), ...options }),
  legend: (options) => ObservablePlot.legend({ ...documentOption(), ...options }),
}

// Every mark has a method plot() that calls Plot's own, which looks for a browser's document.
const marks = ObservablePlot.Mark.prototype as { plot?: unknown }
marks.plot = function plot(
  this: ObservablePlot.RenderableMark,
  { marks: more = [], ...options }: ObservablePlot.PlotOptions = {},
) {
  return Plot.plot({ ...options, marks: [...more, this] })
}

/** Plot's types leave `document` out for legends; it is read all the same. */
function documentOption(): object {
  return { document: figureDocument() }
}
