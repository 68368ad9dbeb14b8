import {
  LabError,
  path,
  routes,
  type Invitation,
  type Invite,
  type InvitationRedeem,
  type InvitationRedeemed,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { found } from '../../domain/found.ts'
import { findWeakness } from '../../domain/password-rule.ts'
import { invitationMail } from '../../mail/messages.ts'
import { actAsUser } from '../actor.ts'
import { countTokens, endLogIns } from './change-auth.ts'
import { endInvitations } from './end-invitations.ts'
import { makeLogIn, type LogInContext } from './log-in.ts'
import { enqueueMail, withdrawMails } from './mails.ts'
import { sendNotice } from './notices.ts'

const validForMs = dayMs

/**
 * Make the one-time secret by which a user sets a password, at first or after they forgot it. It ends after a day, and the invitation before is invalid from now
 * on. It goes to the user by e-mail where that is possible; otherwise, or with `hand_over`, it is returned.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LOG_IN_FAILED for a disabled user.
 */
export async function inviteUser(
  { registry, mail }: Pick<LogInContext, 'registry' | 'mail'>,
  id: number,
  { hand_over: isHandedOver = false }: Invite = {},
): Promise<Invitation> {
  return registry.change(async (change) => {
    const { tx } = change
    const secret = makeSecret('cli')
    const expiresOn = new Date(Date.now() + validForMs)
    const row = await tx
      .selectFrom('users')
      .select(['name', 'email', 'is_active'])
      .where('id', '=', id)
      // Two invitations at once must not both stay valid.
      .forNoKeyUpdate()
      .executeTakeFirst()
    const { name, email: recipient, is_active: isActive } = found(row, 'user', id)
    if (!isActive) throw new LabError('LAB_AUTH_LOG_IN_FAILED', { reason: 'disabled' })
    await tx
      .deleteFrom('invitations')
      .where('user_id', '=', id)
      .where((eb) => eb.or([eb('kind', '=', 'invitation'), eb('expires_on', '<', new Date())]))
      .execute()
    await withdrawMails(change, id, ['invitation'])
    await tx
      .insertInto('invitations')
      .values({ user_id: id, secret_sha256: hashSecret(secret), expires_on: expiresOn })
      .execute()
    change.trace('user', 'updated', id)
    const times = { expires_on: expiresOn.toISOString() }
    if (mail !== null && recipient !== null && !isHandedOver) {
      const message = invitationMail({ site: mail.site, user: name, secret, expiresOn })
      const sent = { kind: 'invitation', userId: id, recipient, endsOn: expiresOn } as const
      // A full outbox keeps nobody out: the operator hands it over.
      if (await enqueueMail(change, { ...sent, ...message }, { mail }))
        return { sent_to: recipient, ...times }
    }
    return { secret, ...times }
  })
}

/** Where an invitation is redeemed from. */
export interface Redeemer {
  /** The address that limits count; null: the Unix socket. */
  readonly address: string | null
  readonly fullAddress: string | null
}

/**
 * Set a password by an invitation or a reset, and log in. All one-time secrets of the user are used up by it, and all earlier log-ins and sessions end. A user who had a
 * password before is told by e-mail.
 *
 * @throws {@link LabError} LAB_AUTH_INVITATION_REFUSED, LAB_AUTH_PASSWORD_WEAK (the invitation stays valid), LAB_AUTH_TOO_MANY_ATTEMPTS.
 */
export async function redeemInvitation(
  { registry, passwords, mail }: LogInContext,
  { secret, password, end_tokens: all = false }: InvitationRedeem,
  { address, fullAddress }: Redeemer,
): Promise<InvitationRedeemed> {
  const secretSha256 = hashSecret(secret)
  const user = await registry.db
    .selectFrom('invitations')
    .innerJoin('users', 'users.id', 'invitations.user_id')
    .select(['users.id', 'users.name', 'users.email', 'users.is_active', 'users.password'])
    .select('invitations.kind')
    .where('secret_sha256', '=', secretSha256)
    .where('kind', '<>', 'address')
    .where('expires_on', '>', new Date())
    .executeTakeFirst()
  if (user?.is_active !== true) throw new LabError('LAB_AUTH_INVITATION_REFUSED', {})
  const problem = findWeakness(password, user)
  if (problem !== null) throw new LabError('LAB_AUTH_PASSWORD_WEAK', { problem })
  const stored = await passwords.hash(password)
  const right = user.kind === 'reset' ? 'reset a password' : 'redeem an invitation'
  const action = { address: fullAddress, right }
  return actAsUser(user, action, () =>
    registry.change(async (change) => {
      const used = await change.tx
        .deleteFrom('invitations')
        .where('secret_sha256', '=', secretSha256)
        .returning('user_id')
        .executeTakeFirst()
      // Another request has used it, or it was replaced, since it was looked up.
      if (used === undefined) throw new LabError('LAB_AUTH_INVITATION_REFUSED', {})
      await endInvitations(change, user.id)
      await change.tx
        .updateTable('users')
        .set({ password: stored })
        .where('id', '=', user.id)
        .execute()
      change.trace('user', 'updated', user.id)
      await endLogIns(change, { userId: user.id, keptId: null, all })
      if (user.password !== null)
        await sendNotice(change, { mail, user, recipient: user.email, what: 'The password' })
      // The user logs in at once, so that this address counts as known, whoever guesses the password elsewhere.
      const made = await makeLogIn(change, { userId: user.id, stored, kind: 'login', address })
      return {
        user: { uri: path(routes.user, { id: user.id }), id: user.id },
        name: user.name,
        token: made.secret,
        tokens_left: await countTokens(change, user.id),
      }
    }),
  )
}
