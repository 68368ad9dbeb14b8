/*
 * Plot writes times on an axis by the clock of twelve hours, as "2:06" with "PM" at one tick of many, and does not say in which zone. Here a tick says 14:06, and the first one,
 * or one with which a day begins, the date and the zone. What the notebook has formatted itself stays as it is, and so do days, months and years.
 */

/** The part of a figure that is used. */
interface DrawnFigure {
  querySelectorAll(selector: string): Iterable<Element>
  scale(name: 'x'):
    | {
        readonly type?: string | null | undefined
        readonly invert?: ((at: number) => unknown) | undefined
      }
    | undefined
}

/** What Plot writes at a tick, by the smallest unit that the ticks of an axis need. Source: Plot 0.6.17, time.js, formatTimeInterval. */
const forms: readonly {
  readonly unitMs: number
  plain(time: Clock): string
  clear(time: Clock): string
}[] = [
  {
    unitMs: 1,
    plain: ({ ms }) => `.${ms}`,
    clear: ({ hour, minute, second, ms }) => `${hour}:${minute}:${second}.${ms}`,
  },
  {
    unitMs: 1_000,
    plain: ({ second }) => `:${second}`,
    clear: ({ hour, minute, second }) => `${hour}:${minute}:${second}`,
  },
  {
    unitMs: 60_000,
    plain: ({ hour, minute }) => `${Number(hour) % 12 || 12}:${minute}`,
    clear: ({ hour, minute }) => `${hour}:${minute}`,
  },
  {
    unitMs: 3_600_000,
    plain: ({ hour }) => `${Number(hour) % 12 || 12} ${Number(hour) < 12 ? 'AM' : 'PM'}`,
    clear: ({ hour, minute }) => `${hour}:${minute}`,
  },
]

/** The parts of a time, as two or three digits, and its date and zone. */
interface Clock {
  readonly hour: string
  readonly minute: string
  readonly second: string
  readonly ms: string
  readonly date: string
  readonly zone: string
}

/** Write the times of the horizontal axes of a figure by 24 hours, with the zone. */
export function writeTimes(figure: DrawnFigure): void {
  const { type, invert } = figure.scale('x') ?? {}
  if ((type !== 'utc' && type !== 'time') || invert === undefined) return
  const zone = type === 'utc' ? 'UTC' : undefined
  for (const axis of figure.querySelectorAll('[aria-label="x-axis tick label"]')) {
    const offset = offsetOf(axis)
    const ticks = [...axis.querySelectorAll('text')].map((tick) => ({
      lines: linesOf(tick),
      time: invert(offsetOf(tick) + offset),
    }))
    rewrite(ticks, zone)
  }
}

interface Tick {
  readonly lines: readonly Element[]
  readonly time: unknown
}

function rewrite(ticks: readonly Tick[], zone: string | undefined): void {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(zone === undefined ? {} : { timeZone: zone }),
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 },
    ...{ hourCycle: 'h23', month: 'short', day: 'numeric', timeZoneName: 'short' },
  })
  const known = ticks.flatMap(({ lines, time }) =>
    time instanceof Date ? [{ lines, ms: time.getTime() }] : [],
  )
  const form = forms.find(({ unitMs, plain }) =>
    known.every(({ lines, ms }) => lines[0]?.textContent === plain(clockAt(ms, unitMs, format))),
  )
  if (form === undefined || known.length < ticks.length) return
  let before: string | null = null
  for (const { lines, ms } of known) {
    const clock = clockAt(ms, form.unitMs, format)
    const [first, second] = lines
    if (first !== undefined) first.textContent = form.clear(clock)
    // Where the date is another one, Plot has a second line.
    if (clock.date === before) second?.remove()
    else if (second !== undefined)
      second.textContent = before === null ? `${clock.date} ${clock.zone}` : clock.date
    before = clock.date
  }
}

/** Return the lines of a label: its parts, or itself. */
function linesOf(tick: Element): readonly Element[] {
  const parts = [...tick.querySelectorAll('tspan')]
  return parts.length === 0 ? [tick] : parts
}

/** Return how far something is moved to the right. */
function offsetOf(element: Element): number {
  return Number(/^translate\(([^,)]+)/u.exec(element.getAttribute('transform') ?? '')?.[1] ?? 0)
}

/** Return the time of the tick whose position on the axis stands for about this time. Ticks are whole units. */
function clockAt(ms: number, unitMs: number, format: Intl.DateTimeFormat): Clock {
  const time = new Date(Math.round(ms / unitMs) * unitMs)
  const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]))
  const part = (name: Intl.DateTimeFormatPartTypes): string => parts.get(name) ?? ''
  return {
    hour: part('hour'),
    minute: part('minute'),
    second: part('second'),
    ms: part('fractionalSecond'),
    date: `${part('month')} ${part('day')}`,
    zone: part('timeZoneName'),
  }
}
