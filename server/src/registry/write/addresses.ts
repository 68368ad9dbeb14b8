import {
  LabError,
  path,
  routes,
  type ConfirmEmail,
  type EmailConfirmed,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { addressMail, takenAddressMail } from '../../mail/messages.ts'
import { actAsUser } from '../actor.ts'
import type { Change } from '../change.ts'
import { endInvitations } from './end-invitations.ts'
import type { LogInContext } from './log-in.ts'
import { enqueueMail, withdrawMails, type MailSite } from './mails.ts'
import { sendNotice } from './notices.ts'

const validForMs = dayMs

/** The address that a user wants. */
export interface WantedAddress {
  readonly user: { readonly id: number; readonly name: string }
  readonly email: string
  readonly mail: MailSite
}

/**
 * Send a mail to an address, by which it becomes a user's. Where another user has it, a mail to it says so instead. So only who reads the mailbox learns whose it is.
 *
 * @throws {@link LabError} LAB_MAIL_OUTBOX_FULL.
 */
export async function askToConfirm(
  change: Change,
  { user, email, mail }: WantedAddress,
): Promise<void> {
  const { tx } = change
  const owner = await tx
    .selectFrom('users')
    .select('name')
    .where((eb) => eb.fn<string>('lower', ['email']), '=', email.toLowerCase())
    .where('id', '<>', user.id)
    .executeTakeFirst()
  const secret = makeSecret('cli')
  const expiresOn = new Date(Date.now() + validForMs)
  await tx
    .deleteFrom('invitations')
    .where('user_id', '=', user.id)
    .where('kind', '=', 'address')
    .execute()
  await withdrawMails(change, user.id, ['address'])
  await tx
    .insertInto('invitations')
    .values({
      user_id: user.id,
      kind: 'address',
      email,
      secret_sha256: hashSecret(secret),
      expires_on: expiresOn,
    })
    .execute()
  const facts = { site: mail.site, user: user.name, secret, expiresOn }
  const message =
    owner === undefined ? addressMail(facts) : takenAddressMail({ ...facts, owner: owner.name })
  const isTaken = await enqueueMail(
    change,
    { kind: 'address', userId: user.id, recipient: email, endsOn: expiresOn, ...message },
    { mail },
  )
  if (!isTaken) throw new LabError('LAB_MAIL_OUTBOX_FULL', {})
}

/**
 * Give a user the address that a mail was sent to. All other one-time secrets of the user end, and a mail to the old address tells of it.
 *
 * @throws {@link LabError} LAB_AUTH_INVITATION_REFUSED, also when another user has got the address meanwhile.
 */
export async function confirmEmail(
  { registry, mail }: Pick<LogInContext, 'registry' | 'mail'>,
  { secret }: ConfirmEmail,
  fullAddress: string | null,
): Promise<EmailConfirmed> {
  const secretSha256 = hashSecret(secret)
  const user = await registry.db
    .selectFrom('invitations')
    .innerJoin('users', 'users.id', 'invitations.user_id')
    .select(['users.id', 'users.name', 'users.is_active'])
    .where('secret_sha256', '=', secretSha256)
    .where('kind', '=', 'address')
    .where('expires_on', '>', new Date())
    .executeTakeFirst()
  if (user?.is_active !== true) throw refused()
  return actAsUser(user, { address: fullAddress, right: 'confirm an e-mail address' }, () =>
    registry.change(async (change) => {
      const before = await change.tx
        .selectFrom('users')
        .select('email')
        .where('id', '=', user.id)
        .forNoKeyUpdate()
        .executeTakeFirst()
      const used = await change.tx
        .deleteFrom('invitations')
        .where('secret_sha256', '=', secretSha256)
        .returning('email')
        .executeTakeFirst()
      const email = used?.email ?? null
      if (before === undefined || email === null) throw refused()
      await change.tx
        .updateTable('users')
        .set({ email })
        .where('id', '=', user.id)
        .execute()
        .catch((error: unknown) => {
          // 23505: unique_violation.
          if (error instanceof Error && 'code' in error && error.code === '23505') throw refused()
          throw error
        })
      await endInvitations(change, user.id)
      await sendNotice(change, {
        mail,
        user,
        recipient: before.email,
        what: 'The e-mail address',
      })
      change.trace('user', 'updated', user.id)
      return {
        user: { uri: path(routes.user, { id: user.id }), id: user.id },
        name: user.name,
        email,
      }
    }),
  )
}

function refused(): LabError {
  return new LabError('LAB_AUTH_INVITATION_REFUSED', {})
}
