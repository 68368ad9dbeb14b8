import { LabError } from '@community-lab/contract'
import * as ObservablePlot from '@observablehq/plot'
import { isInfinite } from './infinite-values.ts'
import { requireColumn } from './missing-columns.ts'

/** What Plot chooses. Its types do not declare `transformImpl` and `markOptions`. Source: Plot 0.6.17, `autoSpec` in marks/auto.js. */
interface Choice {
  readonly fx: unknown
  readonly fy: unknown
  readonly x: { readonly value: unknown }
  readonly y: { readonly value: unknown }
  readonly color: { readonly value: unknown }
  readonly size: { readonly value: unknown }
  readonly transformImpl?: string
}

/**
 * `Plot.auto` for pictures: without its tip, which follows a mouse.
 *
 * @throws {@link LabError} LAB_FIGURE_INVALID when no row has a column that it is to draw, and when it would count infinite values in bins: Plot makes a single bin
 * of all rows then.
 */
export const auto: typeof ObservablePlot.auto = (data, given = {}) => {
  const options = Object.fromEntries(
    Object.entries(given).map(([name, of]: [string, unknown]) => [name, withValues(data, of)]),
  )
  const { fx, fy, x, y, color, size, transformImpl } = ObservablePlot.autoSpec(
    data,
    options,
  ) as unknown as Choice
  const read = { x: x.value, y: y.value, color: color.value, size: size.value, fx, fy }
  for (const [channel, column] of Object.entries(read))
    if (typeof column === 'string') requireColumn('auto', data, { column, channel })
  for (const [channel, { value }] of Object.entries({ x, y }))
    if (transformImpl?.toLowerCase() === 'bin' || transformImpl === `bin${channel.toUpperCase()}`)
      requireFinite(data, value)
  const mark = ObservablePlot.auto(data, options)
  for (const each of mark as unknown as Iterable<{ tip?: unknown } | null>)
    if (each !== null) each.tip = undefined
  return mark
}

/** Return an option whose function of a row is replaced by its values, so that it is called once for each row. */
function withValues(data: unknown, of: unknown): unknown {
  if (typeof of === 'function')
    return ObservablePlot.valueof(data as unknown[], of as () => unknown)
  if (typeof of !== 'object' || of === null || !('value' in of)) return of
  return { ...of, value: withValues(data, of.value) }
}

function requireFinite(data: unknown, value: unknown): void {
  const values = Array.from(
    ObservablePlot.valueof(data as unknown[], value as string) ?? [],
  ) as unknown[]
  const count = values.filter(isInfinite).length
  if (count === 0) return
  const of = typeof value === 'string' ? ` of ${value}` : ''
  throw new LabError('LAB_FIGURE_INVALID', {
    problem: `${count} of ${values.length} values${of} are infinite, as after a division by 0, and auto counts them in bins`,
    write: 'filter the rows, or use Plot.binX, which leaves such values out',
  })
}
