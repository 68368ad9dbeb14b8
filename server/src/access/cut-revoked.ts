import { sql, type Kysely } from 'kysely'
import { channels, type Notifications } from '../postgres/notifications.ts'
import type { Tables } from '../postgres/tables.ts'
import type { OpenRequests } from './open-requests.ts'

/** Options of {@link cutRevokedTokens}. */
export interface RevokedTokenOptions {
  readonly db: Kysely<Tables>
  readonly notifications: Notifications
  readonly open: OpenRequests
  readonly onError: (error: unknown) => void
}

/** Cut the open streams of tokens as soon as the tokens are revoked, by this server or another one. Returns the unsubscriber. */
export function cutRevokedTokens(options: RevokedTokenOptions): () => void {
  const { db, notifications, open, onError } = options
  return notifications.on(channels.revokedTokens, (message) => {
    if (message !== null) for (const id of message.split(',')) open.cut(Number(id))
    // Messages may have been missed.
    else findSuspects(db, open.tokens()).then((ids) => ids.forEach((id) => open.cut(id)), onError)
  })
}

/** Of tokens, those which may be revoked or allow less than before: all of users, whose roles nobody has compared, and of nodes those that do not exist any more. */
async function findSuspects(
  db: Kysely<Tables>,
  ids: readonly number[],
): Promise<readonly number[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('tokens')
    .select('id')
    .where('id', '=', sql<number>`any(${ids}::int[])`)
    .where('node_id', 'is not', null)
    .execute()
  const ofNodes = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !ofNodes.has(id))
}
