import { randomUUID } from 'node:crypto'
import { backoffMs, LabError, type MailKind } from '@community-lab/contract'
import { sql } from 'kysely'
import { dayMs } from '../../domain/day.ts'
import { channels } from '../../postgres/notifications.ts'
import type { Change } from '../change.ts'
import type { Db } from '../read/selection.ts'

/** A mail to send. */
export interface NewMail {
  readonly kind: MailKind
  readonly userId: number
  /** The e-mail address. */
  readonly recipient: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** The time from which on it is not worth sending. */
  readonly endsOn: Date
  /** Where the recipient ends mails of this kind by one request. Source: RFC 8058. */
  readonly unsubscribeUrl?: string
}

/** The most mails that wait, so that a mail server that is away for long does not fill the disk. */
const mostWaiting = 5_000
/** The most characters of a mail's text, and of its HTML. */
const mostChars = 65_536
/** The most attempts for a mail. */
const mostAttempts = 100
/** Source: RFC 5321, section 4.5.4.1: at least half an hour between attempts, but two in the first hour; greylisting lets the second one in. */
const retry = { firstMs: 60_000, longestMs: 3600_000, jitter: 0.2 } as const
/** How long sent and failed mails are listed, in days; without their text. */
const keptDays = 30

/** What mails are made with. */
export interface MailSite {
  /** The configured URL under which people reach the server, without a last slash. What a request says of its host is never in a mail. */
  readonly site: string
  /** The part of Message-IDs after the @. */
  readonly domain: string
}

/**
 * Write a mail into the outbox, in the transaction of the change that it tells of. It is sent after the commit. Returns false when the outbox is full.
 *
 * @throws {@link LabError} LAB_INTERNAL when it is too long: whoever writes mails bounds them.
 */
export async function enqueueMail(
  { tx }: Pick<Change, 'tx'>,
  mail: NewMail,
  { mail: { domain }, now = new Date() }: { readonly mail: MailSite; readonly now?: Date },
): Promise<boolean> {
  const { kind, userId, recipient, subject, text, html, endsOn, unsubscribeUrl = null } = mail
  const chars = Math.max(text.length, html.length)
  if (chars > mostChars)
    throw new LabError('LAB_INTERNAL', {
      what: `a mail (${kind}) of ${chars} characters, where ${mostChars} may be sent`,
    })
  const { waiting } = await tx
    .selectFrom('mails')
    .select((eb) => eb.fn.countAll<number>().as('waiting'))
    .where('next_try_on', 'is not', null)
    .executeTakeFirstOrThrow()
  if (waiting >= mostWaiting) return false
  await tx
    .insertInto('mails')
    .values({
      kind,
      user_id: userId,
      recipient,
      message_id: `<${randomUUID()}@${domain}>`,
      subject,
      body: text,
      html,
      unsubscribe_url: unsubscribeUrl,
      created_on: now,
      ends_on: endsOn,
      next_try_on: now,
    })
    .execute()
  await sql`select pg_notify(${channels.mail}, '')`.execute(tx)
  return true
}

/** Take back the mails of a kind to a user that were not sent yet: what they say is not true any more. */
export async function withdrawMails(
  { tx }: Pick<Change, 'tx'>,
  userId: number,
  kinds: readonly MailKind[],
): Promise<void> {
  await tx
    .deleteFrom('mails')
    .where('user_id', '=', userId)
    .where('kind', 'in', [...kinds])
    .where('next_try_on', 'is not', null)
    .execute()
}

/** A mail that is due. */
export interface DueMail {
  readonly id: number
  readonly recipient: string
  readonly messageId: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly unsubscribeUrl: string | null
  /** The number of this attempt, from 1. */
  readonly attempt: number
  readonly endsOn: Date
}

/**
 * Take the mail that has been due for the longest time, and count an attempt. Whoever calls this holds the lock of senders. Should this process be killed before it
 * notes the outcome, then the mail is due again.
 */
export async function takeDueMail(db: Db, now: Date): Promise<DueMail | null> {
  const row = await db
    .updateTable('mails')
    .set({ attempts: sql`attempts + 1`, tried_on: now })
    .where('id', '=', (eb) =>
      eb
        .selectFrom('mails')
        .select('id')
        .where('next_try_on', '<=', now)
        .where('ends_on', '>', now)
        .where('attempts', '<', mostAttempts)
        .orderBy('next_try_on')
        .orderBy('id')
        .limit(1),
    )
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) return null
  return {
    id: row.id,
    recipient: row.recipient,
    messageId: row.message_id,
    subject: row.subject ?? '',
    text: row.body ?? '',
    html: row.html ?? '',
    unsubscribeUrl: row.unsubscribe_url,
    attempt: row.attempts,
    endsOn: row.ends_on,
  }
}

const emptied = { subject: null, body: null, html: null, unsubscribe_url: null, next_try_on: null }

/** Note that a mail was sent. Its text is removed. */
export async function noteSent(db: Db, id: number, now: Date): Promise<void> {
  await db
    .updateTable('mails')
    .set({ ...emptied, sent_on: now, failure: null })
    .where('id', '=', id)
    .execute()
}

/** Why a mail was not sent. */
export interface MailFailure {
  /** Whether another attempt would have the same outcome. */
  readonly isFinal: boolean
  /** The words of the SMTP server, or what is wrong with the connection. */
  readonly message: string
}

/** Note that a mail was not sent. It is tried again later, unless that is of no use; then its text is removed. */
export async function noteFailed(
  db: Db,
  { id, attempt, endsOn }: DueMail,
  { isFinal, message }: MailFailure,
  now: Date,
): Promise<void> {
  const next = new Date(now.getTime() + backoffMs(retry, attempt))
  const isOver = isFinal || attempt >= mostAttempts || next >= endsOn
  await db
    .updateTable('mails')
    .set({ ...(isOver ? { ...emptied, failed_on: now } : { next_try_on: next }), failure: message })
    .where('id', '=', id)
    .execute()
}

/** Give up the mails that were not sent in time, and forget those that ended long ago. */
export async function tidyMails(db: Db, now = new Date()): Promise<void> {
  await db
    .updateTable('mails')
    .set({ ...emptied, failed_on: now, failure: sql`coalesce(failure, 'it was not sent in time')` })
    .where('next_try_on', 'is not', null)
    .where((eb) => eb.or([eb('ends_on', '<=', now), eb('attempts', '>=', mostAttempts)]))
    .execute()
  await db
    .deleteFrom('mails')
    .where('next_try_on', 'is', null)
    .where('created_on', '<', new Date(now.getTime() - keptDays * dayMs))
    .execute()
}
