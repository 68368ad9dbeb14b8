import { LabError } from '@community-lab/contract'
import * as ObservablePlot from '@observablehq/plot'
import './dot-layer.ts'
import { watchEmptyMarks } from './empty-marks.ts'
import { noteColumns, type ColumnReport } from './missing-columns.ts'
import { finiteBins } from './finite-bins.ts'
import { addNote, figureDocument, followsMouse } from './figure.ts'
import { listLost } from './hidden-parts.ts'
import { noteInfinite } from './infinite-values.ts'
import { watchLogScales, type LogReport } from './log-scale.ts'
import { chooseLogTicks } from './log-ticks.ts'
import { compoundMarks, showAsFigure } from './lone-marks.ts'
import { quietFunctions } from './quiet-functions.ts'
import { noteOutside } from './outside-axes.ts'
import { withWarnings } from './plot-warnings.ts'
import { writeTimes } from './time-axis.ts'

/**
 * Observable Plot without a browser: `Plot.plot` and `mark.plot()` use a document of the kernel's unless the options name one. A notebook shows a figure that
 * is the last expression of a cell or that is given to `show`.
 *
 * Times on a horizontal axis are by 24 hours and name their zone, unless `tickFormat` says otherwise. On a logarithmic axis, a bar that begins at 0 is drawn from the end of the axis. A note below the figure names values that have no place on the axis.
 */
export const Plot: typeof ObservablePlot = {
  ...quietFunctions({ ...ObservablePlot, ...compoundMarks(), ...finiteBins() }),
  plot: (options = {}) => draw({ document: figureDocument(), ...options }),
  legend: (options) => ObservablePlot.legend({ ...documentOption(), ...options }),
}

// Every mark has a method plot() that calls Plot's own function, which needs a browser's document.
const marks = ObservablePlot.Mark.prototype as { plot?: unknown }
marks.plot = function plot(
  this: ObservablePlot.RenderableMark,
  { marks: more = [], ...options }: ObservablePlot.PlotOptions = {},
) {
  return Plot.plot({ ...options, marks: [...more, this] })
}

showAsFigure(ObservablePlot.Mark.prototype)

type Figure = ReturnType<typeof ObservablePlot.plot>

function draw(options: ObservablePlot.PlotOptions): Figure {
  const outside = noteOutside()
  const readInfinite = noteInfinite()
  const readColumns = noteColumns(options.facet)
  const [first, empty] = watchEmptyMarks(() => drawFirst(options, readColumns))
  const wider = widen(options, ...first)
  const [figure, report] = wider === null ? first : drawOnce(wider)
  const labelled = addTicks(wider ?? options, figure, report)
  const drawn = labelled === null ? figure : drawOnce(labelled)[0]
  writeTimes(drawn)
  for (const { label, count, of } of report.undrawn.values())
    addNote(
      drawn,
      `${count} of ${of} values of ${label} are not drawn: a logarithmic axis has no place for 0 and less`,
    )
  const infinite = readInfinite()
  for (const text of infinite.notes) addNote(drawn, text)
  const columns = readColumns()
  for (const { problem, help } of columns.notes) addNote(drawn, `${problem}; ${help}`)
  if (report.undrawn.size === 0)
    for (const { instance, mark, rows, missing } of empty.marks) {
      if (columns.marks.has(instance) || infinite.marks.has(instance)) continue
      const lacks =
        missing === '' ? 'all the values that it needs' : `a value of ${missing} that can be drawn`
      addNote(drawn, `no ${mark} is drawn: none of ${rows} rows has ${lacks}`)
    }
  if (empty.hasNoRow && columns.notes.length === 0 && infinite.notes.length === 0)
    addNote(drawn, 'nothing is drawn: no mark has a row of data')
  for (const { mark, count, of, axes } of outside.values())
    addNote(
      drawn,
      `${count} of ${of} points of ${mark} are outside of the axes: the domain of ${axes.join(' and ')} ends before them`,
    )
  for (const text of listLost(drawn)) addNote(drawn, text)
  removeTips(drawn)
  return drawn
}

/** Return options that add ticks to logarithmic axes with fewer than two labels. Null when no axis needs them, or the notebook has set ticks itself. */
function addTicks(
  options: ObservablePlot.PlotOptions,
  figure: Figure,
  { formats }: LogReport,
): ObservablePlot.PlotOptions | null {
  const labelled = (['x', 'y'] as const).flatMap((name) => {
    const scale = options[name]
    const { domain, range } = figure.scale(name) ?? {}
    const format = formats.get(name)
    const isChosen = scale?.ticks !== undefined || scale?.tickFormat !== undefined
    const isOff = options.axis === null || scale?.axis === null
    if (format === undefined || isChosen || isOff || !isNumbers(domain) || !isNumbers(range))
      return []
    const labels = [...figure.querySelectorAll(`[aria-label="${name}-axis tick label"] text`)]
    const texts = new Set(labels.map((label) => label.textContent).filter((text) => text !== ''))
    if (texts.size >= 2) return []
    const length = Math.max(...range) - Math.min(...range)
    const ticks = chooseLogTicks({ name, domain, length })
    return [[name, { ...scale, ticks, tickFormat: format }] as const]
  })
  return labelled.length === 0 ? null : { ...options, ...Object.fromEntries(labelled) }
}

/**
 * A figure in a notebook is static. Marks that follow the pointer are removed, so that they leave no empty box. Source: Plot 0.6.17, marks/tip.js and
 * crosshair.js.
 */
function removeTips(figure: Figure): void {
  const tips = [...figure.querySelectorAll('[aria-label="tip"], [aria-label^="crosshair"]')]
  for (const tip of tips) tip.remove()
  if (tips.length > 0)
    addNote(
      figure,
      'tips follow a mouse, and this is a picture: they are not drawn. Plot.text writes labels that are always there',
    )
  else if (followsMouse(figure))
    addNote(
      figure,
      'a mark with Plot.pointer follows a mouse, and this is a picture: it is not drawn. Plot.selectMax, selectFirst or a filter choose what is always there',
    )
}

/** Draw a figure. Some marks fail when a column does not exist; the error says so. */
function drawFirst(
  options: ObservablePlot.PlotOptions,
  readColumns: () => ColumnReport,
): ReturnType<typeof drawOnce> {
  try {
    return drawOnce(options)
  } catch (cause) {
    const [column] = readColumns().notes
    if (column === undefined) throw cause
    const { problem, help } = column
    throw new LabError('LAB_FIGURE_INVALID', { problem, write: help }, { cause })
  }
}

function drawOnce(options: ObservablePlot.PlotOptions): readonly [Figure, LogReport] {
  try {
    return watchLogScales(() => withWarnings(() => ObservablePlot.plot(options)))
  } catch (cause) {
    if (!(cause instanceof TypeError && cause.message.includes('BigInt'))) throw cause
    const problem = 'a column holds bigints, integers beyond 2^53, with which it does not calculate'
    const write = 'cast the column in the query, as in column::double, or use Number(row.column)'
    throw new LabError('LAB_FIGURE_INVALID', { problem, write }, { cause })
  }
}

/**
 * Return options that extend the domain for bars that begin at 0, down to half of the shortest bar's end. Null when there are no such bars, or the notebook has
 * set the domain.
 */
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

/** Plot's types do not declare `document` for legends, but Plot reads it. */
function documentOption(): object {
  return { document: figureDocument() }
}
