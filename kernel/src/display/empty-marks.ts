import * as ObservablePlot from '@observablehq/plot'

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

/** A mark of which nothing is drawn, although it has rows. */
interface EmptyMark {
  /** Such as `dot`. */
  readonly mark: string
  readonly rows: number
  /** What none of its rows has: a channel, and the column's name where it is known. Empty: each value is in some row, and no row has all of them. */
  readonly missing: string
}

/** What each mark was given in all its facets, and what is left to draw. */
let found = new Map<FilteringMark, EmptyMark & { drawn: number }>()

/** Do something that plots, and tell of which marks nothing is drawn, since no row has a value that is needed for them. */
export function watchEmptyMarks<T>(plot: () => T): readonly [T, readonly EmptyMark[]] {
  found = new Map()
  const result = plot()
  return [result, [...found.values()].filter(({ drawn }) => drawn === 0)]
}

// Plot's types leave this method of marks out. It drops the rows that lack a value, a misspelt column's for one, without a word. Lines, areas and what is drawn
// of triangles have their own.
for (const { prototype } of [
  ObservablePlot.Mark,
  ObservablePlot.Line,
  ObservablePlot.Area,
  ObservablePlot.Contour,
  ObservablePlot.Density,
])
  watchFilter(prototype as unknown as FilteringMark)

function watchFilter(marks: FilteringMark): void {
  if (!Object.hasOwn(marks, 'filter')) return
  const filterMark = marks.filter
  marks.filter = function filter(this: FilteringMark, index, channels, values) {
    const left = filterMark.call(this, index, channels, values)
    if (index.length > 0 && !/axis|grid/u.test(this.ariaLabel ?? ''))
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
    mark: mark.ariaLabel ?? 'mark',
    rows: (known?.rows ?? 0) + rows,
    drawn: (known?.drawn ?? 0) + (lacking === '' ? drawn : 0),
    missing: known?.missing ?? lacking,
  })
}

/** Lines and areas have gaps where they lack one of these, which the mark sees to itself. */
const positions = new Set(['x', 'y', 'x1', 'y1', 'x2', 'y2'])

/** The channels of which no row has a value; empty when each has some. */
function lackingIn(...[index, channels, values]: Parameters<FilteringMark['filter']>): string {
  const names = Object.entries(channels).flatMap(([name, { filter = isDefined, label }]) => {
    const needed = filter ?? (positions.has(name) ? isDefined : null)
    const value = values[name]
    if (needed === null || value === undefined) return []
    if (index.some((at) => needed(value[at]))) return []
    return [label == null || label === name ? name : `${name} (${label})`]
  })
  return names.join(' and ')
}

/** As Plot has it. Source: d3-array and Plot 0.6.17, defined.js. */
function isDefined(value: unknown): boolean {
  return value != null && !Number.isNaN(value)
}
