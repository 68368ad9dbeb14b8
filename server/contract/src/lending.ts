import type { ResourceName } from './schema/common.ts'
import type { Lends } from './schema/lends.ts'

/** A moment of the week in local time: the day (0: Monday) and the minute of that day. */
export interface WeekTime {
  readonly weekday: number
  readonly minute: number
}

/** What a node lends that does not depend on the time. */
export type LentAmounts = Omit<Lends, 'hours'>

/** No limits at all. */
export const lendsAll: Lends = {
  slivers: null,
  memory_mib: null,
  disk_mib: null,
  processes: null,
  cpu_pct: null,
  rate_mbps: null,
  interfaces: null,
  hours: null,
}

/** The member of what a node lends for each resource. */
export const resourceMembers = {
  memory: 'memory_mib',
  disk: 'disk_mib',
  processes: 'processes',
  cpu: 'cpu_pct',
} as const satisfies Record<ResourceName, keyof Lends>

/** Return how much of a resource is lent; null: no limit. */
export function lentAmount(lends: LentAmounts, resource: ResourceName): number | null {
  return lends[resourceMembers[resource]]
}

/** Return the smaller of each amount, and the kinds of interfaces that both lend. */
export function leastAmounts(one: LentAmounts, other: LentAmounts): LentAmounts {
  return {
    slivers: least(one.slivers, other.slivers),
    memory_mib: least(one.memory_mib, other.memory_mib),
    disk_mib: least(one.disk_mib, other.disk_mib),
    processes: least(one.processes, other.processes),
    cpu_pct: least(one.cpu_pct, other.cpu_pct),
    rate_mbps: least(one.rate_mbps, other.rate_mbps),
    interfaces:
      one.interfaces === null || other.interfaces === null
        ? (one.interfaces ?? other.interfaces)
        : one.interfaces.filter((kind) => other.interfaces?.includes(kind)),
  }
}

/** Return the smaller of two limits. Null is no limit. */
export function least(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other)
}

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const dayMinutes = 24 * 60
const weekMinutes = 7 * dayMinutes

/** Return the local day and minute of a moment in a time zone. */
export function weekTimeIn(timeZone: string, at: Date): WeekTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
  const day = parts.get('weekday')?.toLowerCase()
  return {
    weekday: weekdays.findIndex((name) => name === day),
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  }
}

/** Tell whether a node is lent at a moment: it is within the hours of every list. A list that is null has no limit. */
export function isLentAt(hours: readonly (readonly string[] | null)[], at: WeekTime): boolean {
  return hours.every(
    (list) => list === null || list.flatMap(parseHours).some((span) => isWithin(span, at)),
  )
}

/** Return when a node is lent again after a moment at which it is not, such as `mon 22:00`; null: never. */
export function nextLent(
  hours: readonly (readonly string[] | null)[],
  after: WeekTime,
): string | null {
  const now = weekMinute(after)
  // The next moment within all lists is the beginning of a span of one of them.
  const begins = hours
    .flatMap((list) => list ?? [])
    .flatMap(parseHours)
    .map(({ start }) => start)
    .toSorted((a, b) => minutesFrom(now, a) - minutesFrom(now, b))
  const next = begins.find((begin) => isLentAt(hours, weekTimeOf(begin)))
  return next === undefined ? null : formatWeekTime(weekTimeOf(next))
}

interface Span {
  /** Minutes from the beginning of Monday. */
  readonly start: number
  readonly minutes: number
}

/** Parse hours that match the pattern of the schema. Returns a span for each day. Hours with equal ends, which were settings once, last 24 hours. */
function parseHours(text: string): Span[] {
  const [hours = '', days] = text.split(' ').toReversed()
  const [from = 0, to = 0] = hours.split('-').map(minuteOf)
  const minutes = to > from ? to - from : to - from + dayMinutes
  const chosen = days === undefined ? weekdays.keys() : days.split(',').flatMap(parseDays)
  return [...chosen].map((weekday) => ({ start: weekday * dayMinutes + from, minutes }))
}

/** Parse a day, or days such as `fri-mon`. */
function parseDays(text: string): number[] {
  const [first = 0, last = first] = text
    .split('-')
    .map((day) => weekdays.findIndex((name) => name === day))
  const count = ((last - first + 7) % 7) + 1
  return Array.from({ length: count }, (_, index) => (first + index) % 7)
}

function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return hour * 60 + minute
}

function isWithin({ start, minutes }: Span, at: WeekTime): boolean {
  return minutesFrom(start, weekMinute(at)) < minutes
}

function weekMinute({ weekday, minute }: WeekTime): number {
  return weekday * dayMinutes + minute
}

function weekTimeOf(minutes: number): WeekTime {
  return { weekday: Math.floor(minutes / dayMinutes), minute: minutes % dayMinutes }
}

/** Return the minutes from one moment of the week to the next occurrence of another. */
function minutesFrom(one: number, other: number): number {
  return (other - one + weekMinutes) % weekMinutes
}

function formatWeekTime({ weekday, minute }: WeekTime): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${weekdays[weekday] ?? ''} ${two(Math.floor(minute / 60))}:${two(minute % 60)}`
}
