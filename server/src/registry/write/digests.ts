import { randomBytes } from 'node:crypto'
import { notificationKinds } from '@community-lab/contract'
import { sql } from 'kysely'
import { dayMs } from '../../domain/day.ts'
import { digestDayOf, kindTitles, type Fact } from '../../domain/notification.ts'
import { digestMail } from '../../mail/messages.ts'
import { unsubscribeUrl } from '../../mail/unsubscribe.ts'
import type { Change } from '../change.ts'
import { readFacts, type UserFact } from '../read/facts.ts'
import type { RegistryStore } from '../store.ts'
import { enqueueMail, type MailSite } from './mails.ts'

/** The most facts of one kind in a digest; the number of the others is told. With the longest names, those of all kinds together are less than a mail may have. */
const mostLines = 30

/** Send the digests of a day when they are due and were not sent. A user whose digest fails is passed to `onError`, and gets it the next day. */
export async function sendDueDigests(
  store: RegistryStore,
  {
    mail,
    onError,
    now = new Date(),
  }: {
    readonly mail: MailSite
    readonly onError: (error: unknown) => void
    readonly now?: Date
  },
): Promise<void> {
  const day = digestDayOf(now)
  const row = await store.db
    .selectFrom('counters')
    .select('value')
    .where('name', '=', 'digest')
    .executeTakeFirst()
  if ((row?.value ?? 0) >= day) return
  await sendDigests(store, { mail, onError, now })
  await store.db.updateTable('counters').set({ value: day }).where('name', '=', 'digest').execute()
}

/**
 * Tell each user, in one mail, what has become true since they were told last. What they were told and is still true is not told again; when it ends and comes back, it
 * is. A user gets one digest a day, also when this is called again, as after a restart.
 */
async function sendDigests(
  store: RegistryStore,
  {
    mail,
    onError,
    now,
  }: {
    readonly mail: MailSite
    readonly onError: (error: unknown) => void
    readonly now: Date
  },
): Promise<void> {
  const facts = Map.groupBy(await readFacts(store.db, now), ({ userId }) => userId)
  const told = await store.db.selectFrom('notified').select('user_id').distinct().execute()
  const userIds = new Set([...facts.keys(), ...told.map(({ user_id: id }) => id)])
  for (const userId of userIds)
    await store
      .change((change) => tell(change, { userId, facts: facts.get(userId) ?? [], mail, now }))
      .catch(onError)
}

interface Telling {
  readonly userId: number
  readonly facts: readonly UserFact[]
  readonly mail: MailSite
  readonly now: Date
}

async function tell({ tx }: Change, { userId, facts, mail, now }: Telling): Promise<void> {
  const day = digestDayOf(now)
  const user = await tx
    .selectFrom('users')
    .select(['name', 'email', 'digest_day', 'unsubscribe_key'])
    .where('id', '=', userId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (user === undefined || user.digest_day === day) return
  const keys = facts.map(({ key }) => key)
  // What is not true any more may be told again.
  await sql`delete from notified where user_id = ${userId} and not fact = any(${keys}::text[])`.execute(
    tx,
  )
  const told = await tx
    .selectFrom('notified')
    .select('fact')
    .where('user_id', '=', userId)
    .execute()
  const known = new Set(told.map(({ fact }) => fact))
  const fresh = facts.filter(({ key }) => !known.has(key))
  if (fresh.length === 0 || user.email === null) return
  const key = user.unsubscribe_key ?? randomBytes(16).toString('base64url')
  const url = (kind: Fact['kind'] | 'all') => unsubscribeUrl(mail.site, { userId, kind, key })
  const kinds = notificationKinds.filter((kind) => fresh.some((fact) => fact.kind === kind))
  const message = digestMail({
    site: mail.site,
    user: user.name,
    sections: kinds.map((kind) => ({
      title: kindTitles[kind],
      lines: shorten(fresh.filter((fact) => fact.kind === kind).map(({ text }) => text)),
      unsubscribeUrl: url(kind),
    })),
  })
  const isTaken = await enqueueMail(
    { tx },
    {
      kind: 'digest',
      userId,
      recipient: user.email,
      endsOn: new Date(now.getTime() + dayMs),
      unsubscribeUrl: url('all'),
      ...message,
    },
    { mail, now },
  )
  // The outbox is full: the next day tells it.
  if (!isTaken) return
  await tx
    .insertInto('notified')
    .values(fresh.map(({ key: fact }) => ({ user_id: userId, fact, told_on: now })))
    .execute()
  await tx
    .updateTable('users')
    .set({ digest_day: day, unsubscribe_key: key })
    .where('id', '=', userId)
    .execute()
}

function shorten(lines: readonly string[]): readonly string[] {
  const left = lines.length - mostLines
  return left <= 0 ? lines : [...lines.slice(0, mostLines), `and ${left} more`]
}
