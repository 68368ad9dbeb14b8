import * as ObservablePlot from '@observablehq/plot'
import { isTrial } from './first-row.ts'
import { isInfinite, noteBinned } from './infinite-values.ts'

type Binning = Pick<typeof ObservablePlot, 'bin' | 'binX' | 'binY'>
type Named = Readonly<Record<string, unknown>>
type Channel = 'x' | 'y'

/** What is binned: a column's name, a function of a row, an array of values, or an object that makes such an array. */
interface Binned {
  readonly value: unknown
  readonly label: string
}

/**
 * Return Plot's functions that count in bins, without infinite values, which are noted. Plot makes a single bin of all rows where the largest value is infinite,
 * and no bin where the smallest is.
 */
export function finiteBins(): Binning {
  const { bin, binX, binY } = ObservablePlot
  return {
    bin: (outputs, options) => bin(outputs, finite(options, ['x', 'y'])),
    binX: (outputs, options) => binX(outputs, finite(options, ['x'])),
    binY: (outputs, options) => binY(outputs, finite(options, ['y'])),
  }
}

function finite<T>(options: T | undefined, channels: readonly Channel[]): T {
  const given = (options ?? {}) as Named
  const binned = channels.flatMap((channel) => {
    const of = given[channel]
    // Plot bins the rows themselves where no column is named. In two dimensions they are pairs.
    if (of === undefined && channels.length > 1) return []
    const settings = isSettings(of) ? of : null
    const named = settings === null ? of : settings['value']
    const value = named === undefined ? ObservablePlot.identity : named
    const label = labelOf(value) ?? channel
    return [{ channel, settings, value, label }]
  })
  const columns = binned.map(({ channel, settings, value, label }) => {
    const transform = (data: object): unknown => valuesOf(data, value).map(finiteOrNaN)
    const labelled = labelOf(value) === undefined ? { transform } : { transform, label }
    // Outputs such as `x: 'mean'` read the channel itself, and take no settings.
    return [channel, settings === null ? labelled : { ...settings, value: labelled }] as const
  })
  const described = { ...given, ...Object.fromEntries(columns) }
  return ObservablePlot.transform(described, (data, facets) => ({
    data,
    facets: withoutInfinite(data as object, facets, binned),
  })) as T
}

/** Return the rows of each facet that have a finite value in each column, and note the others. */
function withoutInfinite(
  data: object,
  facets: readonly ArrayLike<number>[],
  columns: readonly Binned[],
): number[][] {
  const infinite = columns.map(({ value, label }) => {
    const values = valuesOf(data, value)
    return { label, has: (row: number) => isInfinite(values[row]) }
  })
  const rows = facets.map((facet) => Array.from(facet))
  if (!isTrial(data))
    for (const { label, has } of infinite) {
      const all = new Set(rows.flat())
      noteBinned({ data, label, count: [...all].filter(has).length, of: all.size })
    }
  return rows.map((facet) => facet.filter((row) => !infinite.some(({ has }) => has(row))))
}

function valuesOf(data: object, value: unknown): unknown[] {
  return Array.from(ObservablePlot.valueof(data as unknown[], value as string) ?? [])
}

/** Return whether a channel is given with settings, such as thresholds. An object with `transform` makes values. */
function isSettings(of: unknown): of is Named {
  if (typeof of !== 'object' || of === null) return false
  return Object.getPrototypeOf(of) === Object.prototype && !('transform' in of)
}

function labelOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const label: unknown = (value as { readonly label?: unknown } | null)?.label
  return typeof label === 'string' ? label : undefined
}

function finiteOrNaN(value: unknown): unknown {
  return isInfinite(value) ? Number.NaN : value
}
