import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Condition } from '../../postgres/filter.ts'
import type { Tables } from '../../postgres/tables.ts'

/** What objects are shown with that no table holds. */
export interface Surroundings {
  readonly mgmtPrefix: string
  /** When a node was last heard of, in milliseconds since the epoch, as far as it is newer than the database knows. */
  lastSeenMs(nodeId: number): number | null
}

/** A part of the objects of a kind, in their order. */
export interface Part {
  readonly where?: Condition
  readonly limit?: number
  readonly offset?: number
}

/** Which objects of a kind; what is not given is not asked for. */
export interface Selection extends Part {
  readonly ids?: readonly number[]
  readonly names?: readonly string[]
}

/** Which slivers. */
export interface SliverSelection extends Part {
  /** Exactly these, `slice@node`. */
  readonly ids?: readonly string[]
  readonly sliceIds?: readonly number[]
  readonly nodeIds?: readonly number[]
}

/** A database or a transaction on it. */
export type Db = Kysely<Tables>

/** Narrow a query to a part. */
export function selectPart<Q extends Partable<Q>>(query: Q, { where, limit, offset }: Part): Q {
  let part = where === undefined ? query : query.where(where)
  if (limit !== undefined) part = part.limit(limit)
  if (offset !== undefined) part = part.offset(offset)
  return part
}

/** Count the rows that fulfil a condition. */
export async function count(db: Db, from: RawBuilder<unknown>, where: Condition): Promise<number> {
  const answer = sql<{ count: number }>`select count(*)::int as count from ${from} where ${where}`
  return (await answer.execute(db)).rows[0]?.count ?? 0
}

interface Partable<Q> {
  where(condition: Condition): Q
  limit(count: number): Q
  offset(count: number): Q
}
