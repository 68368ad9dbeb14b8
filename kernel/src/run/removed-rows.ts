import { Measurement, routes } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'

/** Rows of an hour that is not over are never removed, in milliseconds. */
const neverWithinMs = 3_600_000

/** Rows of a measurement that the server has removed because the slice keeps no more. */
export interface RemovedRows {
  /** The measurement. */
  readonly name: string
  /** How many, of all runs of the slice. */
  readonly rows: number
  /** The latest of their times. */
  readonly until: Date
}

/**
 * List what the server has removed of a scope from a time on: rows of a run that began then may be among it. The measurements with the most rows come first. For a run that has just begun,
 * nothing is asked.
 */
export async function readRemoved(
  { http }: Pick<Session, 'http'>,
  options: { readonly scope: string; readonly from: Date; readonly signal: AbortSignal },
): Promise<readonly RemovedRows[]> {
  const { scope, from, signal } = options
  if (Date.now() - from.getTime() < neverWithinMs) return []
  const list = await http.ask(Type.Array(Measurement), routes.measurements, { signal })
  return list
    .flatMap(({ scope: of, name, removed }): RemovedRows[] => {
      const last = removed?.last_time ?? null
      if (of !== scope || removed === undefined || last === null) return []
      return [{ name, rows: removed.rows, until: new Date(last) }]
    })
    .filter(({ until }) => until >= from)
    .sort((one, other) => other.rows - one.rows)
}

/** Which rows to look for. */
export interface RemovedSelection {
  readonly scope: string
  readonly name: string
  /** When the run has ended, by the server's clock; null: it has not on all slivers. */
  readonly endedOn: string | null
  readonly signal: AbortSignal
}

/**
 * Return up to which time the server has removed rows of a measurement because its scope keeps no more, in milliseconds since the epoch; -Infinity: none. Who waits
 * for such a row would wait for ever. For a run that has just ended, nothing is asked.
 */
export async function readRemovedUntil(
  { http }: Pick<Session, 'http'>,
  { scope, name, endedOn, signal }: RemovedSelection,
): Promise<number> {
  if (endedOn === null || Date.now() - Date.parse(endedOn) < neverWithinMs) return -Infinity
  const list = await http.ask(Type.Array(Measurement), routes.measurements, { signal })
  const found = list.find((one) => one.scope === scope && one.name === name)
  const last = found?.removed?.last_time ?? null
  return last === null ? -Infinity : Date.parse(last)
}
