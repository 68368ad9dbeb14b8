import { path, routes, type MailStatus } from '@community-lab/contract'
import { sql } from 'kysely'
import { dayMs } from '../../domain/day.ts'
import type { Db } from './selection.ts'

/** The most mails that the status lists. */
const mostTroubles = 50

/** Read whether mails are sent. */
export async function readMailStatus(db: Db, now = new Date()): Promise<Omit<MailStatus, 'smtp'>> {
  const dayAgo = new Date(now.getTime() - dayMs)
  const { rows } = await sql<Counts>`
    select count(*) filter (where next_try_on is not null) as waiting,
      min(created_on) filter (where next_try_on is not null) as oldest,
      count(*) filter (where sent_on > ${dayAgo}) as sent,
      count(*) filter (where failed_on > ${dayAgo}) as failed,
      max(sent_on) as last_sent
    from mails`.execute(db)
  const troubles = await db
    .selectFrom('mails')
    .selectAll()
    .where('failure', 'is not', null)
    .orderBy(sql`coalesce(tried_on, failed_on)`, 'desc')
    .orderBy('id', 'desc')
    .limit(mostTroubles)
    .execute()
  const [counts] = rows
  const [last] = troubles
  const lastOn = last?.tried_on ?? last?.failed_on ?? null
  return {
    waiting: counts?.waiting ?? 0,
    oldest_waiting_on: counts?.oldest?.toISOString() ?? null,
    sent_last_day: counts?.sent ?? 0,
    failed_last_day: counts?.failed ?? 0,
    last_sent_on: counts?.last_sent?.toISOString() ?? null,
    last_failure:
      lastOn === null ? null : { time: lastOn.toISOString(), message: last?.failure ?? '' },
    troubles: troubles.map((row) => ({
      id: row.id,
      kind: row.kind,
      user:
        row.user_id === null
          ? null
          : { uri: path(routes.user, { id: row.user_id }), id: row.user_id },
      recipient: row.recipient,
      created_on: row.created_on.toISOString(),
      attempts: row.attempts,
      next_try_on: row.next_try_on?.toISOString() ?? null,
      failed_on: row.failed_on?.toISOString() ?? null,
      message: row.failure ?? '',
    })),
  }
}

interface Counts {
  readonly waiting: number
  readonly oldest: Date | null
  readonly sent: number
  readonly failed: number
  readonly last_sent: Date | null
}
