import {
  LabError,
  path,
  routes,
  type Invitation,
  type InvitationRedeem,
  type InvitationRedeemed,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { found } from '../../domain/found.ts'
import { findWeakness } from '../../domain/password-rule.ts'
import { actAsUser } from '../actor.ts'
import type { RegistryStore } from '../store.ts'
import { countTokens, endLogIns } from './change-auth.ts'
import { makeLogIn, type LogInContext } from './log-in.ts'

const validForMs = dayMs

/**
 * Make the one-time secret by which a user sets a password, at first or after they forgot it. It ends after a day, and the one before is invalid from now on.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LOG_IN_FAILED for a disabled user.
 */
export async function inviteUser({ change }: RegistryStore, id: number): Promise<Invitation> {
  const secret = makeSecret('cli')
  const expiresOn = new Date(Date.now() + validForMs)
  await change(async ({ tx, trace }) => {
    const row = await tx
      .selectFrom('users')
      .select('is_active')
      .where('id', '=', id)
      .forShare()
      .executeTakeFirst()
    if (!found(row, 'user', id).is_active)
      throw new LabError('LAB_AUTH_LOG_IN_FAILED', { reason: 'disabled' })
    const values = { secret_sha256: hashSecret(secret), expires_on: expiresOn }
    await tx
      .insertInto('invitations')
      .values({ user_id: id, ...values })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
      .execute()
    trace('user', 'updated', id)
  })
  return { secret, expires_on: expiresOn.toISOString() }
}

/** Where an invitation is redeemed from. */
export interface Redeemer {
  /** The address that limits count; null: the Unix socket. */
  readonly address: string | null
  readonly fullAddress: string | null
}

/**
 * Set a password by an invitation, which is used up by it, and log in. All log-ins and sessions of before end.
 *
 * @throws {@link LabError} LAB_AUTH_INVITATION_REFUSED, LAB_AUTH_PASSWORD_WEAK (the invitation stays valid), LAB_AUTH_TOO_MANY_ATTEMPTS.
 */
export async function redeemInvitation(
  { registry, passwords }: LogInContext,
  { secret, password, end_tokens: all = false }: InvitationRedeem,
  { address, fullAddress }: Redeemer,
): Promise<InvitationRedeemed> {
  const secretSha256 = hashSecret(secret)
  const user = await registry.db
    .selectFrom('invitations')
    .innerJoin('users', 'users.id', 'invitations.user_id')
    .select(['users.id', 'users.name', 'users.email', 'users.is_active'])
    .where('secret_sha256', '=', secretSha256)
    .where('expires_on', '>', new Date())
    .executeTakeFirst()
  if (user?.is_active !== true) throw new LabError('LAB_AUTH_INVITATION_REFUSED', {})
  const problem = findWeakness(password, user)
  if (problem !== null) throw new LabError('LAB_AUTH_PASSWORD_WEAK', { problem })
  const stored = await passwords.hash(password)
  const action = { address: fullAddress, right: 'redeem an invitation' }
  return actAsUser(user, action, () =>
    registry.change(async (change) => {
      const used = await change.tx
        .deleteFrom('invitations')
        .where('secret_sha256', '=', secretSha256)
        .returning('user_id')
        .executeTakeFirst()
      // Another request has used it, or it was replaced, since it was looked up.
      if (used === undefined) throw new LabError('LAB_AUTH_INVITATION_REFUSED', {})
      await change.tx
        .updateTable('users')
        .set({ password: stored })
        .where('id', '=', user.id)
        .execute()
      change.trace('user', 'updated', user.id)
      await endLogIns(change, { userId: user.id, keptId: null, all })
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
