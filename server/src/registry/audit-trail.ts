import type { AuditEntry } from '@community-lab/contract'
import { sql, type Transaction } from 'kysely'
import type { Tables } from '../postgres/tables.ts'
import { currentActor } from './actor.ts'

/** A change of an object, as the audit trail records it. */
export interface Trace {
  readonly kind: AuditEntry['kind']
  readonly action: AuditEntry['action']
  readonly id: string
}

/** Record who made the changes of a transaction that is about to commit. Reports of nodes are not recorded. */
export async function writeAudit(tx: Transaction<Tables>, traces: readonly Trace[]): Promise<void> {
  const actor = currentActor()
  if (actor === null || traces.length === 0) return
  const { userId, userName, tokenId, tokenName, role, address, right } = actor
  const kinds = traces.map(({ kind }) => kind)
  const actions = traces.map(({ action }) => action)
  const ids = traces.map(({ id }) => id)
  await sql`
    insert into audit (user_id, user_name, token_id, token_name, role, address, "right", kind, action, object_id)
    select ${userId}::int, ${userName}::text,
      ${tokenId}::int, ${tokenName}::text,
      ${role}::text, ${address}::text, ${right}::text, kind, action, object_id
    from unnest(${kinds}::text[], ${actions}::text[], ${ids}::text[])
      as trace (kind, action, object_id)`.execute(tx)
}
