import { LabError, type TokenCreate, type TokenCreated } from '@community-lab/contract'
import { hashSecret, makeSecret } from '../../access/secret.ts'
import type { Change } from '../change.ts'
import { found } from '../refusal.ts'
import type { RegistryStore } from '../store.ts'
import { readTokens } from '../read/access.ts'
import { ensureUser } from './users.ts'
import { hasLastingOperator, voidTokens } from './void-tokens.ts'

/** How long a researcher's token lives when nothing else is said: a year, so that those that were forgotten end. */
const researcherTokenLifeMs = 365 * 24 * 3600 * 1000

/** Make a token, and its user and group when there are none of these names. */
export async function createToken(store: RegistryStore, body: TokenCreate): Promise<TokenCreated> {
  return store.change((change) => insertToken(change, body))
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
    const spec = { name: 'first', role: 'operator', user: 'operator' } as const
    await keep((await insertToken(change, spec)).secret)
    return true
  })
}

async function insertToken(change: Change, body: TokenCreate): Promise<TokenCreated> {
  const { tx } = change
  const { name, role, scope = 'all', user, group } = body
  const userId = await ensureUser(change, user, group)
  const secret = makeSecret(role === 'operator' ? 'clo' : 'clr')
  const { id } = await tx
    .insertInto('tokens')
    .values({
      name,
      role,
      scope,
      user_id: userId,
      secret_sha256: hashSecret(secret),
      expires_on: endOf(body),
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return { token: found((await readTokens(tx, { ids: [id] }))[0], 'token', id), secret }
}

function endOf({ role, expires_on: expiresOn }: TokenCreate): Date | null {
  if (typeof expiresOn === 'string') return new Date(expiresOn)
  const endsByItself = expiresOn === undefined && role === 'researcher'
  return endsByItself ? new Date(Date.now() + researcherTokenLifeMs) : null
}
