import {
  LabError,
  type TokenCreate,
  type TokenCreated,
  type TokenScope,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import type { Change } from '../change.ts'
import { dayMs } from '../../domain/day.ts'
import { found } from '../../domain/found.ts'
import type { RegistryStore } from '../store.ts'
import { readTokens } from '../read/access.ts'
import { makeFirstOperator } from './first-operator.ts'
import { requireRoom } from './user-bounds.ts'
import { hasLastingOperator, revokeTokens } from './revoke-tokens.ts'

/** The default lifetime of a researcher's token: one year, so that forgotten tokens expire. */
const researcherTokenLifeMs = 365 * dayMs

/** The user who creates a token. */
export interface TokenMaker {
  readonly userId: number
  /** The time when the maker's own token expires, in milliseconds since the epoch; null: never. */
  readonly endsMs: number | null
}

/**
 * Create a token for its maker, or for a named user. A token that users create for themselves expires no later than the one that they used.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID, LAB_ACCESS_TOO_MANY.
 */
export async function createToken(
  store: RegistryStore,
  body: TokenCreate,
  maker: TokenMaker,
): Promise<TokenCreated> {
  return store.change(async (change) => {
    const { role = 'researcher', user } = body
    const isOperator = role === 'operator'
    const userId = user === undefined ? maker.userId : await findOwner(change, user)
    if (isOperator) await requireOperator(change, userId)
    await requireRoom(change, userId, 'tokens')
    const latestMs = userId === maker.userId ? maker.endsMs : null
    return insertToken(change, {
      ...body,
      role,
      userId,
      endsOn: endOf({ ...body, role }, latestMs),
    })
  })
}

/**
 * Revoke a token. From then on it is refused, and connections that it has opened are cut.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LAST_OPERATOR.
 */
export async function deleteToken(store: RegistryStore, id: number): Promise<void> {
  await store.change(async (change) => {
    const count = await revokeTokens(change, { id })
    if (count === 0) throw new LabError('LAB_NOT_FOUND', { kind: 'token', id: String(id) })
  })
}

/**
 * Create an operator's token when no operator has one that never expires: at the first start, or to give access again to the administrator of the server's
 * machine.
 *
 * @param keep called with the secret before it takes effect; when it throws, no token is created
 */
export async function bootstrap(
  store: RegistryStore,
  keep: (secret: string) => Promise<void>,
): Promise<boolean> {
  return store.change(async (change) => {
    if (await hasLastingOperator(change.tx)) return false
    const userId = await makeFirstOperator(change)
    const spec = { name: 'first', role: 'operator', userId, endsOn: null } as const
    await keep((await insertToken(change, spec)).secret)
    return true
  })
}

interface NewToken {
  readonly name: string
  readonly role: 'operator' | 'researcher'
  readonly scope?: TokenScope
  readonly userId: number
  readonly endsOn: Date | null
}

async function insertToken(
  { tx, trace }: Change,
  { name, role, scope = 'all', userId, endsOn }: NewToken,
): Promise<TokenCreated> {
  const secret = makeSecret(role === 'operator' ? 'clo' : 'clr')
  const { id } = await tx
    .insertInto('tokens')
    .values({
      name,
      role,
      scope,
      user_id: userId,
      secret_sha256: hashSecret(secret),
      expires_on: endsOn,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  trace('token', 'created', id)
  return { token: found((await readTokens(tx, { ids: [id] }))[0], 'token', id), secret }
}

/**
 * Return the active user of a name, whom nobody disables before the end of the transaction. {@link requireRoom} takes the same lock. With a weaker one here, two
 * transactions at once would each wait for the other to give it up.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID.
 */
async function findOwner({ tx }: Change, name: string): Promise<number> {
  const user = await tx
    .selectFrom('users')
    .select(['id', 'is_active'])
    .where('name', '=', name)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (user === undefined) throw invalid('/user', `there is no user ${name}; make them first`)
  if (!user.is_active) throw invalid('/user', `user ${name} is disabled; enable them first`)
  return user.id
}

/** Lock the row of an operator, so that nobody removes the operator's role before the token is stored; as strongly as {@link findOwner}. */
async function requireOperator({ tx }: Change, userId: number): Promise<void> {
  const user = await tx
    .selectFrom('users')
    .select('is_superuser')
    .where('id', '=', userId)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!found(user, 'user', userId).is_superuser)
    throw invalid('/role', 'the user is no operator; make them one first')
}

/** Return when a new token expires; null: never. `latestMs` is the latest time allowed; null: any. */
function endOf({ role, expires_on: asked }: TokenCreate, latestMs: number | null): Date | null {
  const latest = latestMs === null ? null : new Date(latestMs)
  if (asked === undefined) {
    const usual = role === 'operator' ? null : new Date(Date.now() + researcherTokenLifeMs)
    return latest !== null && (usual === null || usual > latest) ? latest : usual
  }
  const wanted = asked === null ? null : new Date(asked)
  if (wanted !== null && wanted.getTime() <= Date.now())
    throw invalid('/expires_on', 'must be in the future; such a token would let nobody in')
  if (latest !== null && (wanted === null || wanted > latest))
    throw invalid(
      '/expires_on',
      `must be no later than ${latest.toISOString()}, when the token ends that makes it`,
    )
  return wanted
}

function invalid(pointer: string, message: string): LabError {
  return new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer, message }] })
}
