import { parseSliverId, type AuditEntry } from '@community-lab/contract'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Tables } from '../postgres/tables.ts'
import { currentActor } from './actor.ts'

/** A change of an object, as the audit trail records it. */
export interface Trace {
  readonly kind: AuditEntry['kind']
  readonly action: AuditEntry['action']
  readonly id: string
  /** The object's name, where it does not last as long as the trail. */
  readonly name: string | null
}

/** An entry is kept for this time, in days. The database refuses to remove a younger one. */
const auditKeptDays = 730

/**
 * Record who made the changes of a transaction that is about to commit. Reports of nodes are not recorded. Several slivers of one slice that were changed
 * alike have one entry, with their number.
 */
export async function writeAudit(tx: Transaction<Tables>, traces: readonly Trace[]): Promise<void> {
  const actor = currentActor()
  if (actor === null || traces.length === 0) return
  const { userId, userName, tokenId, tokenName, role, address, right } = actor
  const entries = foldSlivers(traces)
  const kinds = entries.map(({ kind }) => kind)
  const actions = entries.map(({ action }) => action)
  const ids = entries.map(({ id }) => id)
  const names = entries.map(({ name }) => name)
  const counts = entries.map(({ count }) => count)
  await sql`
    insert into audit (user_id, user_name, token_id, token_name, role, address, "right", kind, action, object_id, object_name, count)
    select ${userId}::int, ${userName}::text,
      ${tokenId}::int, ${tokenName}::text,
      ${role}::text, ${address}::text, ${right}::text, kind, action, object_id, object_name, count
    from unnest(${kinds}::text[], ${actions}::text[], ${ids}::text[], ${names}::text[], ${counts}::int[])
      as trace (kind, action, object_id, object_name, count)`.execute(tx)
}

/** Remove the entries that are older than the retention. */
export async function removeOldAudit(db: Kysely<Tables>): Promise<void> {
  await sql`delete from audit where time < now() - ${auditKeptDays} * interval '1 day'`.execute(db)
}

interface Entry extends Trace {
  readonly count: number
}

/** Make one entry of all slivers of a slice, `<slice>@*`. */
function foldSlivers(traces: readonly Trace[]): Entry[] {
  const groups = Map.groupBy(traces, ({ kind, action, id }) =>
    kind === 'sliver' ? `${action} ${parseSliverId(id)?.sliceId}` : null,
  )
  return [...groups].flatMap(([key, some]) => {
    const [first] = some
    if (key === null || first === undefined || some.length === 1)
      return some.map((trace) => ({ ...trace, count: 1 }))
    return [{ ...first, id: first.id.replace(/@.*$/u, '@*'), count: some.length }]
  })
}
