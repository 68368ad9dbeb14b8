import { dayMs } from './day.ts'

/** The lifetime of a slice unless it is renewed. Source: CONFINE, 30-day leases. */
export const sliceLifeMs = 30 * dayMs

/** How many days before its end a slice is warned of it, in ascending order. Source: CONFINE warns 4 days before; the second warning is for who was away. */
export const warnedDays = [1, 4] as const

/** Return the warning that is due for a slice, as the number of days; null: none, or it was given already. */
export function dueWarning(
  { expiresOn, warned }: { readonly expiresOn: Date; readonly warned: number | null },
  now: Date,
): number | null {
  const leftMs = expiresOn.getTime() - now.getTime()
  const due = warnedDays.find((days) => leftMs <= days * dayMs) ?? null
  return due !== null && (warned === null || due < warned) ? due : null
}

/** Return the time before which slices that end have a warning due. */
export function warnedBefore(now: Date): Date {
  return new Date(now.getTime() + Math.max(...warnedDays) * dayMs)
}
