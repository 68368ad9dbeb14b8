import * as ObservablePlot from '@observablehq/plot'

/** A mark with points outside of its axes. */
export interface OutsideMark {
  /** The name of the mark, such as `dot`. */
  readonly mark: string
  readonly count: number
  readonly of: number
  /** The axes that have such points, such as `x`. */
  readonly axes: readonly string[]
}

interface Channel {
  readonly scale?: string | null
}

interface ScalingMark {
  readonly ariaLabel?: string
  readonly clip?: unknown
  scale(
    channels: Readonly<Record<string, Channel>>,
    scales: Readonly<Record<string, unknown>>,
    context: object,
  ): Readonly<Record<string, ArrayLike<unknown> | undefined>>
}

/** Marks of single points. It is visible when others, such as lines, leave the axes. */
const pointMarks = new Set(['dot', 'text', 'image', 'vector'])

let found = new Map<ScalingMark, OutsideMark>()

/** Begin to note marks with points outside of the axes, which Plot draws in the margins or not at all. The returned map is filled while a figure is drawn. */
export function noteOutside(): ReadonlyMap<object, OutsideMark> {
  found = new Map()
  return found
}

// Plot's types do not declare this method of marks. It computes the positions of all points.
const marks = ObservablePlot.Mark.prototype as unknown as ScalingMark
const scaleMark = marks.scale
marks.scale = function scale(this: ScalingMark, channels, scales, context) {
  const values = scaleMark.call(this, channels, scales, context)
  const mark = this.ariaLabel ?? ''
  // A notebook that clips points wants them to be invisible.
  if (!pointMarks.has(mark) || (this.clip ?? false) !== false) return values
  const outside = new Set<number>()
  const axes: string[] = []
  let of = 0
  for (const name of ['x', 'y']) {
    const places = values[name]
    const range = channels[name]?.scale === name ? rangeOf(scales[name]) : null
    if (places === undefined || range === null) continue
    of = Math.max(of, places.length)
    const before = outside.size
    for (let index = 0; index < places.length; index++)
      if (isOutside(places[index], range)) outside.add(index)
    if (outside.size > before) axes.push(name)
  }
  found.delete(this)
  if (outside.size > 0) found.set(this, { mark, count: outside.size, of, axes })
  return values
}

/** Half a pixel, because positions are rounded. */
const tolerancePx = 0.5

function isOutside(place: unknown, [low, high]: readonly [number, number]): boolean {
  return typeof place === 'number' && (place < low - tolerancePx || place > high + tolerancePx)
}

function rangeOf(scale: unknown): readonly [number, number] | null {
  const range: unknown =
    typeof scale === 'function' && 'range' in scale && typeof scale.range === 'function'
      ? Reflect.apply(scale.range, scale, [])
      : null
  if (!Array.isArray(range) || !range.every((end) => typeof end === 'number')) return null
  return range.length < 2 ? null : [Math.min(...range), Math.max(...range)]
}
