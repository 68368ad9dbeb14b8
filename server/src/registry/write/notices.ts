import { dayMs } from '../../domain/day.ts'
import { noticeMail } from '../../mail/messages.ts'
import type { Change } from '../change.ts'
import { enqueueMail, type MailSite } from './mails.ts'

/** A change of how a user logs in. */
export interface Notice {
  readonly mail: MailSite | null
  readonly user: { readonly id: number; readonly name: string }
  /** The address until the change; null: the user had none. */
  readonly recipient: string | null
  /** What was changed: "The password". */
  readonly what: string
}

/** Tell a user by e-mail that the way they log in was changed. A full outbox keeps nobody from changing it. Source: OWASP, Forgot Password Cheat Sheet. */
export async function sendNotice(
  change: Change,
  { mail, user, recipient, what }: Notice,
): Promise<void> {
  if (mail === null || recipient === null) return
  const on = new Date()
  const message = noticeMail({ site: mail.site, user: user.name, what, on })
  const endsOn = new Date(on.getTime() + 3 * dayMs)
  await enqueueMail(
    change,
    { kind: 'notice', userId: user.id, recipient, endsOn, ...message },
    { mail, now: on },
  )
}
