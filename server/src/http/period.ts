import { InputTime, LabError } from '@community-lab/contract'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { dayMs } from '../domain/day.ts'
import type { Period } from '../domain/history.ts'

/** The bounds of a period in a query. */
export const PeriodQuery = Type.Object({
  from: Type.Optional(Type.String({ description: 'RFC 3339; default: 30 days before its end' })),
  to: Type.Optional(Type.String({ description: 'RFC 3339; default: now, which is the latest' })),
})
export type PeriodQuery = Static<typeof PeriodQuery>

const defaultPeriodMs = 30 * dayMs

/** Read the period that a query asks for. It ends now at the latest. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function readPeriod({ from, to }: PeriodQuery, nowMs = Date.now()): Period {
  const toMs = Math.min(readTimeMs('to', to) ?? nowMs, nowMs)
  const fromMs = readTimeMs('from', from) ?? toMs - defaultPeriodMs
  if (fromMs < toMs) return { fromMs, toMs }
  const message = `must be earlier than the end of the period, ${new Date(toMs).toISOString()}`
  throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '?from', message }] })
}

/** Read a time of a query. Returns milliseconds since the epoch; null when there is none. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function readTimeMs(name: string, text: string | undefined): number | null {
  if (text === undefined) return null
  const timeMs = Value.Check(InputTime, text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(timeMs)) return timeMs
  const message = 'must be a time as RFC 3339 has it, such as 2026-05-04T12:00:00Z'
  throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: `?${name}`, message }] })
}
