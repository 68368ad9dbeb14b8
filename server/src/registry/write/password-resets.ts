import { LabError, type ResetPassword } from '@community-lab/contract'
import type { Attempts } from '../../access/attempts.ts'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { resetMail } from '../../mail/messages.ts'
import { actAsServer } from '../actor.ts'
import type { RegistryStore } from '../store.ts'
import { findUser } from './log-in.ts'
import { enqueueMail, type MailSite } from './mails.ts'

/** How long the secret of a reset is valid. Source: OWASP, Forgot Password Cheat Sheet: an hour or less. */
const validForMs = 3600_000
/** The most resets of a user that are valid at the same time, and so within an hour. */
const mostValid = 3
/** The most mails of this kind to a user in a day: nobody can fill another's mailbox. Beyond them an operator can still invite the user anew. */
const mostADay = 10
/** The most requests that are worked on at the same time. */
const mostAtOnce = 50
const busyForS = 5

/** What resets need. */
export interface ResetContext {
  readonly registry: RegistryStore
  readonly mail: MailSite | null
  readonly attempts: Attempts
  readonly onError: (error: unknown) => void
}

/** Takes requests for resets of passwords. */
export interface PasswordResets extends AsyncDisposable {
  /**
   * Ask for a mail by which a user sets a new password. The answer is the same, and comes as soon, whether there is such a user or not: who asks is answered
   * before anybody looks.
   *
   * @throws {@link LabError} LAB_MAIL_NOT_CONFIGURED, LAB_AUTH_TOO_MANY_ATTEMPTS: both whoever was asked for.
   */
  ask(given: ResetPassword, address: string | null): void
}

/** Create what takes requests for resets of passwords. */
export function createPasswordResets(context: ResetContext): PasswordResets {
  const { mail, attempts, onError } = context
  const running = new Set<Promise<void>>()
  return {
    ask({ username }, address) {
      if (mail === null) throw new LabError('LAB_MAIL_NOT_CONFIGURED', {})
      if (running.size >= mostAtOnce)
        throw new LabError('LAB_AUTH_TOO_MANY_ATTEMPTS', { of: 'server', retryAfterS: busyForS })
      // Every request counts, as if it had been for a name that nobody has.
      attempts.begin({ user: username, address, isKnown: false })
      const work = sendReset(context, mail, username)
        .catch(onError)
        .finally(() => running.delete(work))
      running.add(work)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running)
    },
  }
}

async function sendReset(
  { registry }: ResetContext,
  mail: MailSite,
  username: string,
): Promise<void> {
  const user = await findUser(registry, username)
  if (user === undefined) return
  // A stranger may have asked, so the audit trail names the server.
  await actAsServer('send a password reset', () =>
    registry.change(async (change) => {
      const now = new Date()
      const row = await change.tx
        .selectFrom('users')
        .select(['id', 'name', 'email', 'is_active'])
        .where('id', '=', user.id)
        .forNoKeyUpdate()
        .executeTakeFirst()
      if (row?.is_active !== true || row.email === null) return
      const { count } = await change.tx
        .selectFrom('invitations')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('user_id', '=', row.id)
        .where('kind', '=', 'reset')
        .where('expires_on', '>', now)
        .executeTakeFirstOrThrow()
      if (count >= mostValid) return
      const { mails } = await change.tx
        .selectFrom('mails')
        .select((eb) => eb.fn.countAll<number>().as('mails'))
        .where('user_id', '=', row.id)
        .where('kind', '=', 'reset')
        .where('created_on', '>', new Date(now.getTime() - dayMs))
        .executeTakeFirstOrThrow()
      if (mails >= mostADay) return
      const secret = makeSecret('cli')
      const expiresOn = new Date(now.getTime() + validForMs)
      await change.tx
        .insertInto('invitations')
        .values({
          user_id: row.id,
          kind: 'reset',
          secret_sha256: hashSecret(secret),
          expires_on: expiresOn,
        })
        .execute()
      const message = resetMail({ site: mail.site, user: row.name, secret, expiresOn })
      const { email: recipient } = row
      const sent = { kind: 'reset', userId: row.id, recipient, endsOn: expiresOn } as const
      await enqueueMail(change, { ...sent, ...message }, { mail, now })
      change.trace('user', 'updated', row.id)
    }),
  )
}
