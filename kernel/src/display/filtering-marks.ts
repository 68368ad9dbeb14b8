import * as ObservablePlot from '@observablehq/plot'

/**
 * The prototypes of marks that choose the rows they draw by a method `filter` of their own; all other marks inherit that of `Mark`. It silently drops rows that lack
 * a value. Plot's types do not declare it. Source: Plot 0.6.17, marks/.
 */
export const filteringMarks: readonly object[] = [
  ObservablePlot.Mark,
  ObservablePlot.Line,
  ObservablePlot.Area,
  ObservablePlot.Contour,
  ObservablePlot.Density,
].map(({ prototype }) => prototype)
