import { LabError, type AuthChanged, type ChangeAuth, type Role } from '@community-lab/contract'
import { found } from '../../domain/found.ts'
import { findWeakness } from '../../domain/password-rule.ts'
import type { Change } from '../change.ts'
import { askToConfirm } from './addresses.ts'
import { claimName } from './claim-name.ts'
import { endInvitations } from './end-invitations.ts'
import { checkPassword, type LogInContext } from './log-in.ts'
import { sendNotice } from './notices.ts'
import { revokeTokens } from './revoke-tokens.ts'

/** Who changes how a user logs in. */
export interface AuthChanger {
  readonly userId: number
  /** The token that asks, which goes on. */
  readonly tokenId: number | null
  readonly role: Role | 'anonymous'
  readonly address: string | null
}

/**
 * Change a user's password or e-mail address, see {@link ChangeAuth}.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LOG_IN_FAILED for a wrong current password, LAB_AUTH_TOO_MANY_ATTEMPTS, LAB_AUTH_PASSWORD_WEAK, LAB_NAME_TAKEN for the
 * e-mail address of another user, LAB_REQUEST_INVALID when nothing is to be changed; LAB_AUTH_FORBIDDEN for the first password of an operator by another token than an
 * operator's.
 */
export async function changeAuth(
  context: LogInContext,
  id: number,
  { body, by }: { readonly body: ChangeAuth; readonly by: AuthChanger },
): Promise<AuthChanged> {
  const { registry, passwords, attempts, mail } = context
  const { password, email, current_password: current = '' } = body
  if (password === undefined && email === undefined) throw missing()
  const row = await registry.db
    .selectFrom('users')
    .select(['id', 'name', 'email', 'password'])
    .where('id', '=', id)
    .executeTakeFirst()
  const user = found(row, 'user', id)
  if (by.userId === id && user.password !== null)
    await checkPassword(context, {
      username: user.name,
      password: current,
      address: by.address,
      user,
    })
  // Who hears that an address is taken knows that its owner is here. So this can be tried a few times only.
  const guess = { user: `addresses of ${by.userId}`, address: by.address, isKnown: true }
  const isGuess = typeof email === 'string' && by.role !== 'operator'
  if (isGuess) attempts.begin(guess)
  // Where mail is sent, an address becomes a user's only when they have read a mail to it. Operators answer for what they set.
  const unconfirmed = mail !== null && isGuess && email !== user.email ? { mail, email } : null
  const isKept = email === undefined || unconfirmed !== null
  const owner = { name: user.name, email: isKept ? user.email : email }
  const problem = password === undefined ? null : findWeakness(password, owner)
  if (problem !== null) throw new LabError('LAB_AUTH_PASSWORD_WEAK', { problem })
  const hashed = password === undefined ? user.password : await passwords.hash(password)
  const changed = await registry.change(async (change) => {
    const stored = await change.tx
      .selectFrom('users')
      .select(['password', 'is_superuser'])
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst()
    const present = found(stored, 'user', id)
    // Somebody else has changed it since it was checked.
    if (present.password !== user.password)
      throw new LabError('LAB_AUTH_LOG_IN_FAILED', { reason: 'wrong' })
    // Who logs in as an operator has an operator's rights, which a researcher's token never has.
    if (present.password === null && present.is_superuser && by.role !== 'operator')
      throw new LabError('LAB_AUTH_FORBIDDEN', {
        action: 'set the first password of an operator',
        role: by.role,
        needs: 'the token of an operator',
      })
    await claimName(
      'e-mail address',
      email ?? '',
      change.tx
        .updateTable('users')
        .set({ ...(isKept ? {} : { email: owner.email }), password: hashed })
        .where('id', '=', id)
        .execute(),
    )
    change.trace('user', 'updated', id)
    const isMoved = owner.email !== user.email
    // A secret that was sent to the old address, which may be somebody else's, would set another password.
    if (password !== undefined || isMoved) await endInvitations(change, id)
    if (password !== undefined)
      await endLogIns(change, { userId: id, keptId: by.tokenId, all: body.end_tokens ?? false })
    const told = { mail, user, recipient: user.email }
    if (password !== undefined && user.password !== null)
      await sendNotice(change, { ...told, what: 'The password' })
    if (isMoved) await sendNotice(change, { ...told, what: 'The e-mail address' })
    if (unconfirmed !== null) await askToConfirm(change, { user, ...unconfirmed })
    const members = [...(password === undefined ? [] : ['password']), ...(isKept ? [] : ['email'])]
    return {
      detail: [
        ...(members.length === 0 ? [] : [`User ${members.join(', ')} changed successfully`]),
        ...(unconfirmed === null
          ? []
          : ['A mail was sent to the new address, which becomes the user’s by its link']),
      ].join('. '),
      ...(unconfirmed === null ? {} : { unconfirmed_email: unconfirmed.email }),
      tokens_left: await countTokens(change, id),
    }
  })
  // Each mail to an address counts, because it may be a stranger's.
  if (isGuess && unconfirmed === null) attempts.succeed(guess)
  return changed
}

interface Ending {
  readonly userId: number
  /** A token that goes on; null: none. */
  readonly keptId: number | null
  /** Whether also those end that the user has made. */
  readonly all: boolean
}

/** End a user's sessions and log-ins. */
export async function endLogIns(change: Change, { userId, keptId, all }: Ending): Promise<void> {
  const rows = await change.tx
    .selectFrom('tokens')
    .select('id')
    .where('user_id', '=', userId)
    .$if(!all, (query) => query.where('kind', 'in', ['login', 'session']))
    .execute()
  const ids = rows.flatMap(({ id }) => (id === keptId ? [] : [id]))
  if (ids.length > 0) await revokeTokens(change, { ids })
}

/** Return the number of valid tokens that a user has made. */
export async function countTokens({ tx }: Change, userId: number): Promise<number> {
  const { count } = await tx
    .selectFrom('tokens')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', userId)
    .where('kind', '=', 'personal')
    .where((eb) => eb.or([eb('expires_on', 'is', null), eb('expires_on', '>', new Date())]))
    .executeTakeFirstOrThrow()
  return count
}

function missing(): LabError {
  const message = 'has neither a password nor an e-mail address to change'
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '', message }] })
}
