import { LabError, type TokenScope } from '@community-lab/contract'
import { sql } from 'kysely'
import type { Attempts } from '../../access/attempts.ts'
import type { Passwords } from '../../access/password.ts'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import { dayMs } from '../../domain/day.ts'
import { actAsUser } from '../actor.ts'
import type { Change } from '../change.ts'
import type { RegistryStore } from '../store.ts'
import type { MailSite } from './mails.ts'
import { revokeTokens } from './revoke-tokens.ts'

/** What log-ins need. */
export interface LogInContext {
  readonly registry: RegistryStore
  readonly passwords: Passwords
  readonly attempts: Attempts
  /** What mails are made with; null: none are sent. */
  readonly mail: MailSite | null
}

/** What somebody gives who logs in. */
export interface LogInRequest {
  /** The user's name, or e-mail address. */
  readonly username: string
  readonly password: string
  readonly kind: 'login' | 'session'
  /** The token's name. */
  readonly name?: string
  readonly scope?: TokenScope
  /** The address that limits count; null: the Unix socket. */
  readonly address: string | null
  /** The whole address, for the audit trail. */
  readonly fullAddress: string | null
}

/** A token that a log-in has made. Its secret is shown only here. */
export interface MadeLogIn {
  readonly userId: number
  readonly secret: string
  readonly endsOn: Date
}

/** How long log-ins last. CONFINE's clients log in each time, so theirs is as long as a slice. A session that nobody uses ends earlier. */
const lastsMs = { login: 30 * dayMs, session: 7 * dayMs } as const
const sessionIdleS = 12 * 3600
/** The most log-ins of one kind of a user. One more ends that which was not used for the longest time. */
const mostOfKind = 20

/**
 * Log in with a password. A user who does not exist is refused as a wrong password is, and as late.
 *
 * @throws {@link LabError} LAB_AUTH_LOG_IN_FAILED, LAB_AUTH_TOO_MANY_ATTEMPTS.
 */
export async function logIn(context: LogInContext, given: LogInRequest): Promise<MadeLogIn> {
  const { registry } = context
  const user = await findUser(registry, given.username)
  await checkPassword(context, { ...given, user: user ?? null })
  // `checkPassword` has refused a user who does not exist.
  if (user === undefined) throw failed()
  if (!user.is_active) throw new LabError('LAB_AUTH_LOG_IN_FAILED', { reason: 'disabled' })
  const action = { address: given.fullAddress, right: 'log in' }
  return actAsUser(user, action, () =>
    registry.change((change) =>
      makeLogIn(change, { ...given, userId: user.id, stored: user.password }),
    ),
  )
}

/** A password to check, and whose it should be. */
export interface PasswordAttempt {
  readonly username: string
  readonly password: string
  readonly address: string | null
  readonly user: { readonly id: number; readonly password: string | null } | null
}

/** Check a password, within the limits of attempts. @throws {@link LabError} LAB_AUTH_LOG_IN_FAILED, LAB_AUTH_TOO_MANY_ATTEMPTS. */
export async function checkPassword(
  { registry, passwords, attempts }: Omit<LogInContext, 'mail'>,
  { username, password, address, user }: PasswordAttempt,
): Promise<void> {
  const isKnown = await hasLoggedInFrom(registry, user?.id ?? 0, address)
  const attempt = { user: user?.id ?? username, address, isKnown }
  attempts.begin(attempt)
  const isRight = await passwords
    .check(password, user?.password ?? null)
    .catch((error: unknown) => {
      // The server was too busy to check it, so nothing was guessed.
      attempts.succeed(attempt)
      throw error
    })
  if (!isRight) throw failed()
  attempts.succeed(attempt)
}

function failed(): LabError {
  return new LabError('LAB_AUTH_LOG_IN_FAILED', { reason: 'wrong' })
}

/** Find the user of a name or an e-mail address. */
export function findUser({ db }: RegistryStore, username: string) {
  // No name has an @.
  return db
    .selectFrom('users')
    .select(['id', 'name', 'password', 'is_active'])
    .where((eb) =>
      eb.or([eb('name', '=', username), eb(sql`lower(email)`, '=', username.toLowerCase())]),
    )
    .executeTakeFirst()
}

async function hasLoggedInFrom(
  { db }: RegistryStore,
  userId: number,
  address: string | null,
): Promise<boolean> {
  const row = await db
    .selectFrom('tokens')
    .select('id')
    .where('user_id', '=', userId)
    .where('made_from', '=', address ?? 'socket')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

interface NewLogIn extends Pick<LogInRequest, 'kind' | 'name' | 'scope' | 'address'> {
  readonly userId: number
  /** The password that was checked, as it was stored then. */
  readonly stored: string | null
}

/** Make the token of a log-in. @throws {@link LabError} LAB_AUTH_LOG_IN_FAILED when the user was changed meanwhile. */
export async function makeLogIn(
  change: Change,
  { userId, stored, kind, name, scope = 'all', address }: NewLogIn,
): Promise<MadeLogIn> {
  const user = await change.tx
    .selectFrom('users')
    .select(['is_active', 'is_superuser', 'password'])
    .where('id', '=', userId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (user === undefined || user.password !== stored || !user.is_active) throw failed()
  await endOldest(change, userId, kind)
  const role = user.is_superuser ? 'operator' : 'researcher'
  const secret = makeSecret(kind === 'session' ? 'cls' : user.is_superuser ? 'clo' : 'clr')
  const endsOn = new Date(Date.now() + lastsMs[kind])
  const { id } = await change.tx
    .insertInto('tokens')
    .values({
      name: name ?? (kind === 'session' ? 'page' : 'log-in'),
      role,
      scope,
      kind,
      user_id: userId,
      secret_sha256: hashSecret(secret),
      expires_on: endsOn,
      made_from: address ?? 'socket',
      idle_s: kind === 'session' ? sessionIdleS : null,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  change.trace('token', 'created', id)
  return { userId, secret, endsOn }
}

/** End the log-ins that would be too many with one more: those that were not used for the longest time. The row of the user is locked. */
async function endOldest(
  change: Change,
  userId: number,
  kind: LogInRequest['kind'],
): Promise<void> {
  const rows = await change.tx
    .selectFrom('tokens')
    .select('id')
    .where('user_id', '=', userId)
    .where('kind', '=', kind)
    .orderBy(sql`expires_on > now()`, 'desc')
    .orderBy(sql`coalesce(last_used_on, created_on)`, 'desc')
    .offset(mostOfKind - 1)
    .execute()
  if (rows.length > 0) await revokeTokens(change, { ids: rows.map(({ id }) => id) })
}

/** End a session. Its row stays for a time, as those of sessions that have run out: it tells where the user has logged in from. */
export async function endSession(registry: RegistryStore, id: number): Promise<void> {
  await registry.change(async (change) => {
    const row = await change.tx
      .updateTable('tokens')
      .set({ expires_on: new Date() })
      .where('id', '=', id)
      .where('kind', '=', 'session')
      .returning('id')
      .executeTakeFirst()
    if (row === undefined) return
    change.cutTokens([id])
    change.trace('token', 'updated', id)
  })
}
