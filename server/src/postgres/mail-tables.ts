import type { Generated, GeneratedAlways } from 'kysely'
import type { MailKind } from '@community-lab/contract'

/** The outbox of e-mail. What a mail says is null once it was sent or given up. */
export interface MailTable {
  id: GeneratedAlways<number>
  kind: MailKind
  user_id: number | null
  recipient: string
  message_id: string
  subject: string | null
  body: string | null
  html: string | null
  unsubscribe_url: string | null
  created_on: Date
  /** The time from which on it is not worth sending. */
  ends_on: Date
  attempts: Generated<number>
  /** When it is sent or tried again; null: it was sent or given up. */
  next_try_on: Date | null
  tried_on: Date | null
  sent_on: Date | null
  failed_on: Date | null
  /** Why the last attempt failed. */
  failure: string | null
}

/** What a user was told, and is still true. */
export interface NotifiedTable {
  user_id: number
  fact: string
  told_on: Date
}
