import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Condition } from '../../postgres/filter.ts'
import type { Tables } from '../../postgres/tables.ts'

/** Facts of objects that are in no table. */
export interface Surroundings {
  readonly mgmtPrefix: string
  /** Return the last contact of a node, in milliseconds since the epoch, when it is newer than the stored one. */
  lastSeenMs(nodeId: number): number | null
}

/** A part of the objects of a kind, in order. */
export interface Part {
  readonly where?: Condition
  readonly limit?: number
  readonly offset?: number
}

/** The objects to read. Without `ids`, all are read. */
export interface Selection extends Part {
  readonly ids?: readonly number[]
  readonly names?: readonly string[]
}

/** The slivers to read. */
export interface SliverSelection extends Part {
  /** The ids, `slice@node`. */
  readonly ids?: readonly string[]
  readonly sliceIds?: readonly number[]
  readonly nodeIds?: readonly number[]
}

/** A database, or a transaction. */
export type Db = Kysely<Tables>

/** Restrict a query to a part. */
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
