import * as ObservablePlot from '@observablehq/plot'
import { filteringMarks } from './filtering-marks.ts'

/** Infinite values of one column, which are not drawn. */
interface InfiniteValues {
  readonly label: string
  readonly count: number
  readonly of: number
  /** Whether some of the values are finite, but stacked on an infinite one. */
  readonly areStacked: boolean
}

/** What a figure leaves out because it is infinite. */
export interface InfiniteReport {
  /** The marks that have such values. */
  readonly marks: ReadonlySet<object>
  /** The sentences that tell them. */
  readonly notes: readonly string[]
}

/** A mark that has been scaled. */
interface ScaledMark {
  /** The rows that are drawn if they have all values. A filter of the notebook leaves out the others. Before transforms such as `hexbin`, which replace rows. */
  readonly rows: Set<number>
  /** Whether such a transform has replaced rows. */
  readonly isReplaced: boolean
  readonly columns: readonly Column[]
}

/** The infinite values of a channel. */
interface Column {
  readonly label: string
  /** The rows that have them. */
  readonly infinite: readonly number[]
  readonly areStacked: boolean
}

interface Channel {
  readonly scale?: string | null
  readonly value?: ArrayLike<unknown> | null
  readonly label?: string | null
}

type Channels = Readonly<Record<string, Channel>>
type Scales = Readonly<Record<string, unknown>>

interface State {
  readonly facets: readonly ArrayLike<number>[] | undefined
  readonly channels: Channels
}

interface ScalingMark {
  readonly ariaLabel?: string
  readonly data: unknown
  initialize(...given: readonly unknown[]): State
  scale(
    channels: Channels,
    scales: Scales,
    context: { readonly projection?: unknown },
  ): Readonly<Record<string, unknown[] | undefined>>
  filter(index: readonly number[], ...rest: readonly unknown[]): readonly number[]
}

/** The infinite values of one column of some data. */
type InfiniteColumn = Omit<InfiniteValues, 'areStacked'> & { readonly data: unknown }

let found = new Map<ScalingMark, ScaledMark>()
let binned: InfiniteColumn[] = []

/** Begin to note infinite values. The returned function reports those of the figure drawn since. */
export function noteInfinite(): () => InfiniteReport {
  found = new Map()
  binned = []
  const [marks, inBins] = [found, binned]
  return () => {
    const infinite = [...marks].flatMap(([mark, scaled]) =>
      countRows(scaled).map((values) => ({ mark, ...values, data: mark.data })),
    )
    const dropped = inBins.filter(({ count }) => count > 0)
    const all = [...infinite, ...dropped.map((each) => ({ ...each, areStacked: false }))]
    const data = new Set(dropped.map((each) => each.data))
    const empty = [...marks.keys()].filter((mark) => data.has(mark.data))
    return {
      marks: new Set([...infinite.map(({ mark }) => mark), ...empty]),
      notes: sumUp(all).map(describeValues),
    }
  }
}

/** Note infinite values of a column whose values are counted in bins. */
export function noteBinned(column: InfiniteColumn): void {
  binned.push(column)
}

function describeValues({ label, count, of, areStacked }: InfiniteValues): string {
  const stacked = areStacked ? ', or stacked on one that is' : ''
  return `${count} of ${of} values of ${label} are not drawn: they are infinite, as after a division by 0${stacked}`
}

/** Count the infinite values of a mark by the name of their column. */
function countRows({ rows, columns }: ScaledMark): InfiniteValues[] {
  return [...Map.groupBy(columns, ({ label }) => label)].flatMap(([label, parts]) => {
    const infinite = new Set(parts.flatMap((part) => part.infinite).filter((row) => rows.has(row)))
    const areStacked = parts.some((part) => part.areStacked)
    return infinite.size === 0 ? [] : [{ label, count: infinite.size, of: rows.size, areStacked }]
  })
}

/** Add up by column. Several marks of the same rows, such as a line with dots, count once. */
function sumUp(all: readonly (InfiniteValues & Pick<InfiniteColumn, 'data'>)[]): InfiniteValues[] {
  return [...Map.groupBy(all, ({ label }) => label)].map(([label, named]) => {
    const byData = [...Map.groupBy(named, ({ data }) => data).values()]
    const largest = byData.map((same) => same.reduce((a, b) => (b.count > a.count ? b : a)))
    return {
      label,
      count: largest.reduce((sum, { count }) => sum + count, 0),
      of: largest.reduce((sum, { of }) => sum + of, 0),
      areStacked: named.some((each) => each.areStacked),
    }
  })
}

const states = new WeakMap<ScalingMark, State>()

// Plot's types do not declare these methods of marks. A mark that is initialized has the values of its columns. Some transforms, such as `hexbin`, replace
// them later by positions in the figure, before the mark is scaled. So the values are kept.
const marks = ObservablePlot.Mark.prototype as unknown as ScalingMark
const initializeMark = marks.initialize
marks.initialize = function initialize(this: ScalingMark, ...given) {
  const state = initializeMark.apply(this, [...given])
  states.set(this, { facets: state.facets, channels: { ...state.channels } })
  return state
}

// Plot leaves infinite values out of domains. It draws them in the middle of an axis whose domain is a single number, and elsewhere not at all.
const scaleMark = marks.scale
marks.scale = function scale(this: ScalingMark, channels, scales, context) {
  const values = scaleMark.call(this, channels, scales, context)
  const isMap = context.projection != null
  const isMeasured = (name: string | null | undefined): boolean =>
    (isMap && (name === 'x' || name === 'y')) || measures(scales, name)
  for (const [name, { scale: scaleName, value }] of Object.entries(channels)) {
    const scaled = values[name]
    if (value == null || scaled === undefined || !isMeasured(scaleName)) continue
    for (let index = 0; index < value.length; index++)
      if (isInfinite(value[index])) scaled[index] = Number.NaN
  }
  const state = states.get(this)
  if (state === undefined || /axis|grid|^tip$|^crosshair/u.test(this.ariaLabel ?? '')) return values
  const isReplaced = Object.keys(channels).some((name) => channels[name] !== state.channels[name])
  found.set(this, {
    rows: new Set(isReplaced ? state.facets?.flatMap((index) => Array.from(index)) : []),
    isReplaced,
    columns: Object.entries(state.channels).flatMap(([name, { scale: scaleName }]) =>
      isMeasured(scaleName) ? [findInfinite(name, state.channels)] : [],
    ),
  })
  return values
}

// A mark is filtered once in each facet.
for (const mark of filteringMarks) {
  const filtering = mark as ScalingMark
  const filterMark = filtering.filter
  filtering.filter = function filter(this: ScalingMark, index, ...rest) {
    const scaled = found.get(this)
    if (scaled?.isReplaced === false) for (const row of index) scaled.rows.add(row)
    return filterMark.apply(this, [index, ...rest])
  }
}

function findInfinite(name: string, channels: Channels): Column {
  const { value, label } = channels[name] ?? {}
  const infinite: number[] = []
  for (let row = 0; row < (value?.length ?? 0); row++)
    if (isInfinite(value?.[row])) infinite.push(row)
  const top = name.endsWith('1') ? channels[`${name.slice(0, -1)}2`]?.value : null
  const areStacked = top != null && infinite.some((row) => isInfinite(top[row]))
  return { label: label ?? name, infinite, areStacked }
}

/** Types of scales on which an infinite number has a place, as a name or beyond the last threshold. Source: Plot 0.6.17, scales.js. */
const placing = new Set(['ordinal', 'categorical', 'point', 'band', 'threshold', 'quantize'])

/** Return whether a scale measures numbers. A clamped one draws infinite numbers at its end, as the notebook wants it. */
function measures(scales: Scales, name: string | null | undefined): boolean {
  const described = (
    scales['scales'] as
      Readonly<Record<string, { readonly type: string; readonly clamp?: boolean }>> | undefined
  )?.[name ?? '']
  return described !== undefined && !placing.has(described.type) && described.clamp !== true
}

/** Return whether a value is an infinite number. */
export function isInfinite(value: unknown): boolean {
  return value === Infinity || value === -Infinity
}
