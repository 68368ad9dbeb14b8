import { filteringMarks } from './filtering-marks.ts'

interface Channel {
  readonly value?: ArrayLike<unknown> | null
  readonly label?: string | null
  readonly filter?: ((value: unknown) => boolean) | null
}

type Channels = Readonly<Record<string, Channel>>

interface FilteringMark {
  readonly ariaLabel?: string
  filter(
    index: readonly number[],
    channels: Channels,
    values: Readonly<Record<string, ArrayLike<unknown> | undefined>>,
  ): readonly number[]
}

/** A mark that has rows and of which Plot draws nothing. */
interface EmptyMark {
  readonly instance: object
  /** The name of the mark, such as `dot`. */
  readonly mark: string
  readonly rows: number
  /** The channel that has no value in any row, with the name of its column where known. Empty when each channel has values, but no row has all of them. */
  readonly missing: string
}

/** For each mark: its rows in all facets, and how many of them are drawn. */
let found = new Map<FilteringMark, EmptyMark & { drawn: number }>()

/** The marks of a figure of which nothing is drawn. */
export interface EmptyMarks {
  /** Those that have rows, none of which has all values that the mark needs. */
  readonly marks: readonly EmptyMark[]
  /** Whether no mark has a row, as after a query that has found nothing. Rules do not count: they often mark a constant. */
  readonly hasNoRow: boolean
}

/** Run a function that plots. Also return the marks of which nothing is drawn. */
export function watchEmptyMarks<T>(plot: () => T): readonly [T, EmptyMarks] {
  found = new Map()
  const result = plot()
  const all = [...found.values()]
  const withData = all.filter(({ mark }) => mark !== 'rule')
  return [
    result,
    {
      marks: all.filter(({ drawn, rows }) => drawn === 0 && rows > 0),
      hasNoRow: withData.length > 0 && withData.every(({ rows }) => rows === 0),
    },
  ]
}

for (const mark of filteringMarks) watchFilter(mark as FilteringMark)

function watchFilter(marks: FilteringMark): void {
  if (!Object.hasOwn(marks, 'filter')) return
  const filterMark = marks.filter
  marks.filter = function filter(this: FilteringMark, index, channels, values) {
    const left = filterMark.call(this, index, channels, values)
    if (!/axis|grid/u.test(this.ariaLabel ?? ''))
      note(this, {
        rows: index.length,
        drawn: left.length,
        lacking: lackingIn(index, channels, values),
      })
    return left
  }
}

function note(
  mark: FilteringMark,
  {
    rows,
    drawn,
    lacking,
  }: { readonly rows: number; readonly drawn: number; readonly lacking: string },
): void {
  const known = found.get(mark)
  found.set(mark, {
    instance: mark,
    mark: mark.ariaLabel ?? 'mark',
    rows: (known?.rows ?? 0) + rows,
    drawn: (known?.drawn ?? 0) + (lacking === '' ? drawn : 0),
    missing: known === undefined || known.rows === 0 ? lacking : known.missing,
  })
}

/** Lines and areas have gaps where one of these is missing. The mark itself handles that. */
const positions = new Set(['x', 'y', 'x1', 'y1', 'x2', 'y2'])

/** Return the channels that have no value in any row; empty when each has one, or there is no row. */
function lackingIn(...[index, channels, values]: Parameters<FilteringMark['filter']>): string {
  if (index.length === 0) return ''
  const names = Object.entries(channels).flatMap(([name, { filter = isDefined, label }]) => {
    const needed = filter ?? (positions.has(name) ? isDefined : null)
    const value = values[name]
    if (needed === null || value === undefined) return []
    if (index.some((at) => needed(value[at]))) return []
    return [label == null || label === name ? name : `${name} (${label})`]
  })
  return names.join(' and ')
}

/** The same rule as Plot's. Source: d3-array and Plot 0.6.17, defined.js. */
function isDefined(value: unknown): boolean {
  return value != null && !Number.isNaN(value)
}
