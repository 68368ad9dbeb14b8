import {
  LabError,
  type TokenCreate,
  type TokenCreated,
  type TokenScope,
} from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import type { Change } from '../change.ts'
import { found } from '../refusal.ts'
import type { RegistryStore } from '../store.ts'
import { readTokens } from '../read/access.ts'
import { ensureUser } from './ensure-user.ts'
import { hasLastingOperator, voidTokens } from './void-tokens.ts'

/** How long a researcher's token lives when nothing else is said: a year, so that those that were forgotten end. */
const researcherTokenLifeMs = 365 * 24 * 3600 * 1000

/** Who makes a token. */
export interface TokenMaker {
  readonly userId: number
  /** When the token ends that the maker came with, in milliseconds since the epoch; null: never. */
  readonly endsMs: number | null
}

/**
 * Make a token: the maker's own, or one of the user that is named, who is made together with their group when there is none of that name. A token that somebody
 * makes for themselves ends no later than the one that they came with.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID.
 */
export async function createToken(
  store: RegistryStore,
  body: TokenCreate,
  maker: TokenMaker,
): Promise<TokenCreated> {
  return store.change(async (change) => {
    const { role = 'researcher', user, group } = body
    const isOperator = role === 'operator'
    const userId =
      user === undefined
        ? maker.userId
        : await ensureUser(change, { name: user, group, isOperator })
    if (isOperator) await requireOperator(change, userId)
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
 * Void a token: from this moment it opens nothing, and what it has open is cut.
 *
 * @throws {@link LabError} LAB_NOT_FOUND, LAB_AUTH_LAST_OPERATOR.
 */
export async function deleteToken(store: RegistryStore, id: number): Promise<void> {
  await store.change(async (change) => {
    const count = await voidTokens(change, { id })
    if (count === 0) throw new LabError('LAB_NOT_FOUND', { kind: 'token', id: String(id) })
  })
}

/**
 * Make an operator's token when no operator has a lasting one: at the first start, or to let whoever holds the server's machine in again.
 *
 * @param keep called with the secret before it takes effect: a token that nobody could keep is not made
 */
export async function bootstrap(
  store: RegistryStore,
  keep: (secret: string) => Promise<void>,
): Promise<boolean> {
  return store.change(async (change) => {
    if (await hasLastingOperator(change.tx)) return false
    const user = { name: 'operator', isOperator: true }
    const known = await change.tx
      .updateTable('users')
      .set({ is_superuser: true, is_active: true })
      .where('name', '=', user.name)
      .returning('id')
      .executeTakeFirst()
    const userId = known?.id ?? (await ensureUser(change, user))
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

/** Hold an operator's row, so that nobody takes that away before the token is there. */
async function requireOperator({ tx }: Change, userId: number): Promise<void> {
  const user = await tx
    .selectFrom('users')
    .select('is_superuser')
    .where('id', '=', userId)
    .forShare()
    .executeTakeFirst()
  if (!found(user, 'user', userId).is_superuser)
    throw invalid('/role', 'the user is no operator; make them one first')
}

/** When a new token ends; null: never. `latestMs` is when it must at the latest; null: it need not. */
function endOf({ role, expires_on: asked }: TokenCreate, latestMs: number | null): Date | null {
  const latest = latestMs === null ? null : new Date(latestMs)
  if (asked === undefined) {
    const usual = role === 'operator' ? null : new Date(Date.now() + researcherTokenLifeMs)
    return latest !== null && (usual === null || usual > latest) ? latest : usual
  }
  const wanted = asked === null ? null : new Date(asked)
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
