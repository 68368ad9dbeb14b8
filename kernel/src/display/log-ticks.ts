/** The space that a label needs along its axis, in pixels. */
const labelPx = { x: 36, y: 16 } as const
/** Ticks within a decade, sparsest set first. */
const mantissas: readonly (readonly number[])[] = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 2, 3, 4, 5, 6, 7, 8, 9],
]
/** Tick steps for a domain that holds fewer than two of the ticks above, as fractions of a power of ten. */
const steps: readonly number[] = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01]

/** A logarithmic axis to label. */
export interface LogAxis {
  readonly name: 'x' | 'y'
  readonly domain: readonly number[]
  /** In pixels; the length in one facet where there are several. */
  readonly length: number
}

/** Choose ticks of a logarithmic axis so that at least two have a label, where two fit. Plot labels only powers of ten. */
export function chooseLogTicks({ name, domain, length }: LogAxis): readonly number[] {
  const [low, high] = [Math.min(...domain), Math.max(...domain)]
  const most = Math.max(2, Math.floor(length / labelPx[name]))
  for (const each of mantissas) {
    const ticks = ticksOf(each, low, high)
    if (ticks.length >= 2) return thin(ticks, most)
  }
  const power = 10 ** Math.floor(Math.log10(high))
  for (const step of steps) {
    const ticks = multiplesOf(step * power, low, high)
    if (ticks.length >= 2) return thin(ticks, most)
  }
  return [low, high]
}

function ticksOf(each: readonly number[], low: number, high: number): readonly number[] {
  const first = Math.floor(Math.log10(low))
  const decades = Array.from(
    { length: Math.ceil(Math.log10(high)) - first + 1 },
    (_, n) => first + n,
  )
  return decades
    .flatMap((decade) => each.map((mantissa) => Number(`${mantissa}e${decade}`)))
    .filter((tick) => tick >= low && tick <= high)
}

function multiplesOf(step: number, low: number, high: number): readonly number[] {
  const first = Math.ceil(low / step)
  const count = Math.max(0, Math.floor(high / step) - first + 1)
  return Array.from({ length: count }, (_, n) => Number(((first + n) * step).toPrecision(6)))
}

/** Return every n-th tick, so that at most `most` are left. */
function thin(ticks: readonly number[], most: number): readonly number[] {
  const every = Math.ceil((ticks.length - 1) / (most - 1))
  return ticks.filter((_, index) => index % every === 0)
}
