import type { Run as RunObject } from '@community-lab/contract'
import { clockTable } from '@community-lab/contract/samples'
import { quoteIdentifier, quoteText } from './sql-quote.ts'

/** A run on a sliver, as far as its rows depend on it. */
export interface OwnPart {
  readonly sliver: string
  readonly nodeId: number
  /** When it began, by the wall clock of the node, in milliseconds since the epoch; null: it has not, or nobody knows. */
  readonly startedMs: number | null
  /** When it ended, in the same way. */
  readonly endedMs: number | null
  /** Where the row landed that follows its last sample; null: not known. What landed later is not of this run: the rows of a node land in their order. */
  readonly endLanded: number | null
}

/** Which rows without a run are those of a run. */
export interface OwnRows {
  /** Those that may have rows: a part that has ended without having begun has none. */
  readonly parts: readonly OwnPart[]
  /** When the run was asked for, by the clock of the server, in milliseconds since the epoch. */
  readonly notBeforeMs: number
  /** When it had ended on all slivers, by the clock of the server; null: it has not. */
  readonly notAfterMs: number | null
}

/** Times of runs are in whole milliseconds, and so is what a node knows of its wall clock. */
const resolutionMs = 2

/** Say which rows without a run are those of a run. `endLanded`: where the row that follows the last sample of a sliver landed, by sliver. */
export function ownRowsOf(run: RunObject, endLanded: ReadonlyMap<string, number>): OwnRows {
  const { created_on: createdOn, ended_on: overOn, parts } = run
  return {
    notBeforeMs: Date.parse(createdOn),
    parts: parts
      .filter(({ state, started_on: startedOn }) => state !== 'ended' || startedOn !== null)
      .map(({ sliver, node, started_on: startedOn, ended_on: endedOn }) => ({
        sliver: sliver.id,
        nodeId: node.id,
        startedMs: startedOn === null ? null : Date.parse(startedOn),
        endedMs: endedOn === null ? null : Date.parse(endedOn),
        endLanded: endLanded.get(sliver.id) ?? null,
      })),
    notAfterMs: overOn === null ? null : Date.parse(overOn),
  }
}

/** Return the greatest number that a row of the run can have; null: not known. */
export function lastOwn({ parts, notAfterMs }: OwnRows): number | null {
  const ends = parts.map(({ endLanded }) => endLanded ?? Infinity)
  const last = Math.max(0, ...ends)
  return notAfterMs !== null && Number.isFinite(last) ? last : null
}

/**
 * Write the statement that removes from a table the rows that are not of the run: those of other slivers, those after its end, and those before its beginning. No clock is needed for the end. For
 * the beginning, the time of a row is compared with that at which the program was started, both by the server's clock as far as it is known; what may be of the run stays.
 * Where the server's time is not known, both are compared by the node's clock.
 */
export function removeForeign(table: string, own: OwnRows, hasClocks: boolean): string {
  const name = quoteIdentifier(table)
  const time = (ms: number | null, byMs: number): string =>
    ms === null
      ? 'null::timestamptz'
      : `make_timestamptz(${Math.round((ms + byMs) * 1000)}::bigint)`
  const rows = own.parts.map(
    ({ sliver, nodeId, startedMs, endedMs, endLanded }) =>
      `(${quoteText(sliver)}, ${nodeId}, ${time(startedMs, -resolutionMs)}, ${time(endedMs, resolutionMs)}, ${isNumber(endLanded) ? endLanded : 'null'}::bigint)`,
  )
  if (rows.length === 0) return `delete from ${name}`
  const parts = `(values ${rows.join(', ')}) as part(sliver, node_id, started, ended, end_landed)`
  const begun = hasClocks ? startsOf(parts) : `select *, null::timestamptz as begun from ${parts}`
  const error = 'to_microseconds(ceil(t.time_error_s * 1e6)::bigint)'
  return `
delete from ${name} where rowid in (
  select t.rowid from ${name} t anti join (${begun}) part
  on part.sliver = t.sliver and t.landed <= coalesce(part.end_landed, t.landed) and case
    when t.time_error_s is null then t.time_node >= coalesce(part.started, t.time_node)
      and (part.end_landed is not null or t.time_node <= coalesce(part.ended, t.time_node))
    else t.time + ${error} >= greatest(${time(own.notBeforeMs, -resolutionMs)}, part.begun)
      and t.time - ${error} <= coalesce(${time(own.notAfterMs, resolutionMs)}, t.time) end
)`
}

function isNumber(landed: number | null): landed is number {
  return landed !== null && Number.isFinite(landed)
}

/**
 * Write the query that adds to parts when each began at the earliest, by the server's clock: its time by the wall clock is in the time of a row of `clock`, from that row to the
 * next one, before the time moved with a step. When the wall clock was set back, it may be in that of several, and the earliest counts; null: none is known.
 */
function startsOf(parts: string): string {
  const wall = 'to_microseconds((told.wall_s * 1e6)::bigint)'
  const age = `epoch_us(part.started - told.time - ${wall}) / 1e6`
  return `
select part.*, (
  select min(part.started + to_microseconds(floor((told.offset_s - told.wall_s - told.error_s
    + (told.drift_ratio - told.drift_error_ratio) * (${age})) * 1e6)::bigint))
  from (
    from ${clockTable} c
    select c.*, coalesce(
      lead(c.time - to_microseconds((coalesce(c.moved_s, 0) * 1e6)::bigint)) over (partition by c.node_id order by c.landed),
      c.time + interval 1 hour) as until
  ) told
  where told.node_id = part.node_id and told.offset_s is not null
    and part.started >= told.time + ${wall} and part.started <= told.until + ${wall}
) as begun from ${parts}`
}
