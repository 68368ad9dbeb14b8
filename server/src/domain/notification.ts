import {
  notificationKinds,
  type NotificationChoice,
  type NotificationChoicePatch,
  type NotificationKind,
} from '@community-lab/contract'
import { dayMs } from './day.ts'
import { warnedDays } from './slice-end.ts'

/** Something that is true at this time, and that a user is told once. */
export interface Fact {
  readonly kind: NotificationKind
  /** Its name. A user is told of each name once, as long as the fact is true. */
  readonly key: string
  /** A sentence for the user. */
  readonly text: string
}

/** Digests are sent at this hour or later, UTC: in the morning of most of the community networks that there are. */
const digestHour = 6

/** Return the number of the day whose digest is due at a time: digests are due once a day. */
export function digestDayOf(now: Date): number {
  return Math.floor((now.getTime() - digestHour * 3_600_000) / dayMs)
}

/**
 * Return which warning of a slice's end is due, as the number of days before the end; null: none. The next digest comes a day later, so a warning that would be due
 * until then is due now.
 */
export function endToTell(expiresOn: Date, now: Date): number | null {
  const leftMs = expiresOn.getTime() - now.getTime()
  if (leftMs <= 0) return null
  return warnedDays.find((days) => leftMs < (days + 1) * dayMs) ?? null
}

/** Users are told of the end of a slice so long before, at the earliest, in days. */
export const endToldDays = Math.max(...warnedDays) + 1
/** Users are told of a node that has been offline for so long, in days. Source: CONFINE's controller, notifications. */
export const offlineToldDays = 5
/** Users are told of a node that has been in `safe` for so long, in days. Source: CONFINE's controller, notifications. */
export const safeToldDays = 3

/** Return how long something has lasted, in words: "5 days". */
export function daysSince(since: Date, now: Date): string {
  const days = Math.floor((now.getTime() - since.getTime()) / dayMs)
  return days === 1 ? '1 day' : `${days} days`
}

/** What each kind of notification tells, in words. */
export const kindTitles: Readonly<Record<NotificationKind, string>> = {
  slice_end: 'Slices that end soon',
  node_offline: 'Nodes that are offline',
  node_safe: 'Nodes that were left in safe, where slivers do not run',
  request_waiting: 'Requests that wait for your answer',
  image_broken: 'Images that nodes cannot unpack',
}

/** Tell whether a text names a kind. */
export function isNotificationKind(text: string): text is NotificationKind {
  return notificationKinds.some((kind) => kind === text)
}

/** Return what a user gets, by the kinds that they do not want. */
export function choiceOf(muted: readonly string[]): NotificationChoice {
  const gets = (kind: NotificationKind): boolean => !muted.includes(kind)
  return {
    slice_end: gets('slice_end'),
    node_offline: gets('node_offline'),
    node_safe: gets('node_safe'),
    request_waiting: gets('request_waiting'),
    image_broken: gets('image_broken'),
  }
}

/** Return the kinds that a user does not want after a change. */
export function mutedAfter(
  muted: readonly string[],
  patch: NotificationChoicePatch,
): readonly NotificationKind[] {
  const after = { ...choiceOf(muted), ...patch }
  return notificationKinds.filter((kind) => !after[kind])
}
