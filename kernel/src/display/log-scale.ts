import * as ObservablePlot from '@observablehq/plot'

/** What the logarithmic scales of a plot could not show. */
export interface LogReport {
  /** By scale: values of 0 or less, which are not drawn. */
  readonly undrawn: ReadonlyMap<string, Undrawn>
  /** By scale: the smallest positive end of a bar that begins at 0. */
  readonly barEnds: ReadonlyMap<string, number>
  /** By scale: the function that formats the numbers of its ticks. */
  readonly formats: ReadonlyMap<string, (value: number) => string>
}

interface Undrawn {
  readonly label: string
  readonly count: number
  readonly of: number
}

/** The properties of a scale that are read while marks are scaled. Source: Plot 0.6.17, `exposeScale` in scales.js. */
interface LogScale {
  readonly type: string
  readonly domain: readonly number[]
  readonly label?: string
}

interface Channel {
  readonly scale?: string | null
  readonly value?: ArrayLike<unknown> | null
  readonly label?: string | null
}

type Channels = Readonly<Record<string, Channel>>
type Values = Readonly<Record<string, unknown[]>>
type Scales = Readonly<Record<string, unknown>>

interface ScalingMark {
  readonly ariaLabel?: string
  scale(channels: Channels, scales: Scales, context: unknown): Values
}

/** Marks with two ends. An end at 0 is drawn at the end of the axis. */
const barLike = new Set(['bar', 'rect', 'area', 'rule'])

let undrawn = new Map<string, Undrawn>()
let barEnds = new Map<string, number>()
let formats = new Map<string, (value: number) => string>()

/** Run a function that plots. Also return what its logarithmic scales could not show. */
export function watchLogScales<T>(plot: () => T): readonly [T, LogReport] {
  undrawn = new Map()
  barEnds = new Map()
  formats = new Map()
  const result = plot()
  return [result, { undrawn, barEnds, formats }]
}

// Plot's types do not declare this method of marks. It computes the coordinates of each mark, and silently drops marks without any.
const marks = ObservablePlot.Mark.prototype as unknown as ScalingMark
const scaleMark = marks.scale
marks.scale = function scale(this: ScalingMark, channels, scales, context) {
  const values = scaleMark.call(this, channels, scales, context)
  for (const [name, { scale: scaleName, value, label }] of Object.entries(channels)) {
    const position = scales[scaleName ?? '']
    const described = logScaleOf(scales, scaleName)
    if (described === null || value == null || typeof position !== 'function') continue
    noteFormat(scaleName ?? '', position)
    const other = channels[otherEnd(name)]?.value
    const isBar = barLike.has(this.ariaLabel ?? '') && other != null
    let count = 0
    for (let index = 0; index < value.length; index++) {
      if (!isZeroOrLess(value[index])) continue
      const end: unknown = other?.[index]
      if (isBar && typeof end === 'number' && end > 0) {
        barEnds.set(scaleName ?? '', Math.min(end, barEnds.get(scaleName ?? '') ?? Infinity))
        const low: unknown = Reflect.apply(position, null, [Math.min(...described.domain)])
        const scaled = values[name]
        if (scaled !== undefined) scaled[index] = low
      } else if (!name.endsWith('2')) count++
    }
    if (count > 0)
      note(scaleName ?? '', { label: label ?? described.label ?? name, count, of: value.length })
  }
  return values
}

function note(scale: string, more: Undrawn): void {
  const known = undrawn.get(scale) ?? { label: more.label, count: 0, of: 0 }
  undrawn.set(scale, { ...known, count: known.count + more.count, of: known.of + more.of })
}

/** With an infinite count, the scale formats every tick. Source: d3-scale 4, log.js. */
function noteFormat(scale: string, position: object): void {
  const tickFormat: unknown = Reflect.get(position, 'tickFormat')
  if (typeof tickFormat !== 'function' || formats.has(scale)) return
  const format: unknown = Reflect.apply(tickFormat, position, [Infinity])
  if (typeof format === 'function')
    formats.set(scale, (value) => String(Reflect.apply(format, null, [value])))
}

function logScaleOf(scales: Scales, name: string | null | undefined): LogScale | null {
  const described = (scales['scales'] as Readonly<Record<string, LogScale>> | undefined)?.[
    name ?? ''
  ]
  return described?.type === 'log' && described.domain.every((end) => end > 0) ? described : null
}

function otherEnd(name: string): string {
  return name.endsWith('1') ? `${name.slice(0, -1)}2` : `${name.slice(0, -1)}1`
}

/** Infinite values have a note of their own. */
function isZeroOrLess(value: unknown): boolean {
  return typeof value === 'number' && value <= 0 && value !== -Infinity
}
