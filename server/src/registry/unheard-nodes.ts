import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { createGather } from '../postgres/gather.ts'
import type { Tables } from '../postgres/tables.ts'

/**
 * The nodes of which nothing has been heard since their last contact: they were offline, or no server ran, and they have neither reported since nor said that
 * their last report still holds. Their slivers may have ended then. The database has the same in `nodes.unheard_since`, for its trigger that ends the records
 * of removed slivers.
 */
export interface UnheardNodes {
  /** Return the last contact before what was not heard; null: there is no such time. */
  since(nodeId: number): Date | null
  /** Note that a node is away since its last contact. Returns the contact before what was not heard, which may be an earlier one. */
  note(nodeId: number, lastSeen: Date): Date
  /** Note that the server has the node's present report. */
  end(nodeId: number): Promise<void>
}

/** The most nodes of one statement. */
const gatheredNodes = 200

/** At the start of a server, nothing has been heard of any node since its last contact. */
export async function openUnheardNodes(db: Kysely<Tables>): Promise<UnheardNodes> {
  const { rows } = await sql<{ id: number; since: Date }>`
    update nodes set unheard_since = last_seen_on where last_seen_on is not null
    returning id, unheard_since as since`.execute(db)
  const unheard = new Map(rows.map(({ id, since }) => [id, since]))
  const gatherEnd = createGather({
    maxKeys: gatheredNodes,
    read: (ids: readonly number[]) => storeEnds(db, ids),
  })
  return {
    since: (nodeId) => unheard.get(nodeId) ?? null,
    note(nodeId, lastSeen) {
      const since = unheard.get(nodeId) ?? lastSeen
      unheard.set(nodeId, since)
      return since
    },
    async end(nodeId) {
      if (!unheard.has(nodeId)) return
      if ((await gatherEnd(nodeId)) === true) unheard.delete(nodeId)
    },
  }
}

/** Note that nodes are heard again. Those that other transactions are changing are left out, and tried again with their next poll. */
async function storeEnds(
  db: Kysely<Tables>,
  ids: readonly number[],
): Promise<ReadonlyMap<number, true>> {
  const { rows } = await sql<{ id: number }>`
    with free as (
      select id from nodes where id = any(${ids}::int[]) for no key update skip locked)
    update nodes set unheard_since = null from free where nodes.id = free.id
    returning nodes.id`.execute(db)
  return new Map(rows.map(({ id }) => [id, true]))
}
