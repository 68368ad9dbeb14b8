import { LabError } from '@community-lab/contract'
import * as ObservablePlot from '@observablehq/plot'
import { addNote, figureDocument } from './figure.ts'
import { watchLogScales, type LogReport } from './log-scale.ts'

/**
 * Observable Plot, drawing without a browser: `Plot.plot` and `mark.plot()` make their elements in a document of their own unless they are given one. A
 * figure that is the last expression of a cell is shown, and so is one given to `show`.
 *
 * On a logarithmic axis a bar that begins at 0 is drawn from the axis' end, and what has no place on it is told below the figure.
 */
export const Plot: typeof ObservablePlot = {
  ...ObservablePlot,
  plot: (options = {}) => draw({ document: figureDocument(), ...options }),
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

type Figure = ReturnType<typeof ObservablePlot.plot>

function draw(options: ObservablePlot.PlotOptions): Figure {
  const [first, found] = drawOnce(options)
  const wider = widen(options, first, found)
  const [figure, { undrawn }] = wider === null ? [first, found] : drawOnce(wider)
  for (const { label, count, of } of undrawn.values())
    addNote(
      figure,
      `${count} of ${of} values of ${label} are not drawn: a logarithmic axis has no place for 0 and less`,
    )
  return figure
}

function drawOnce(options: ObservablePlot.PlotOptions): readonly [Figure, LogReport] {
  try {
    return watchLogScales(() => ObservablePlot.plot(options))
  } catch (cause) {
    if (!(cause instanceof TypeError && cause.message.includes('BigInt'))) throw cause
    const problem = 'a column holds bigints, integers beyond 2^53, with which it does not calculate'
    const write = 'cast the column in the query, as in column::double, or use Number(row.column)'
    throw new LabError('LAB_FIGURE_INVALID', { problem, write }, { cause })
  }
}

/** Options with room for bars that begin at 0: half of the shortest one's length below it. Null when there are none, or the notebook has set the domain. */
function widen(
  options: ObservablePlot.PlotOptions,
  figure: Figure,
  { barEnds }: LogReport,
): ObservablePlot.PlotOptions | null {
  const wider = [...barEnds].flatMap(([name, end]) => {
    if (name !== 'x' && name !== 'y') return []
    const scale = options[name]
    const domain: unknown = figure.scale(name)?.domain
    if (scale?.domain !== undefined || !isNumbers(domain)) return []
    const ends = [Math.min(end / 2, ...domain), Math.max(...domain)]
    return [[name, { ...scale, domain: ends }] as const]
  })
  return wider.length === 0 ? null : { ...options, ...Object.fromEntries(wider) }
}

function isNumbers(domain: unknown): domain is readonly number[] {
  return Array.isArray(domain) && domain.every((end) => typeof end === 'number')
}

/** Plot's types leave `document` out for legends; it is read all the same. */
function documentOption(): object {
  return { document: figureDocument() }
}
