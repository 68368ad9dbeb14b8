import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { Kysely } from 'kysely'
import '../decorations.ts'
import type { Tables } from '../postgres/tables.ts'
import { anonymous, type Principal } from './principal.ts'
import { hashSecret } from './secret.ts'

/** Options of {@link accessPlugin}. */
export interface AccessOptions {
  readonly db: Kysely<Tables>
  /** Origins, besides the server's own, whose pages may change things. */
  readonly origins: readonly string[]
}

// Writing down each use would make every read a write.
const lastUsedGranularityMs = 60_000

/**
 * Find out who asks, before anything else happens: a missing token is anonymous, a wrong one is refused even where none is needed. A page of a
 * foreign origin may read what is public, and change nothing.
 */
export const accessPlugin = fp<AccessOptions>(
  (app, { db, origins }) => {
    app.decorateRequest('principal')
    app.addHook('onRequest', async (request) => {
      const { authorization, origin, host } = request.headers
      const changes = !['GET', 'HEAD', 'OPTIONS'].includes(request.method)
      if (origin !== undefined && (changes || request.headers.upgrade !== undefined)) {
        const own = URL.canParse(origin) && new URL(origin).host === host
        if (!own && !origins.includes(origin))
          throw new LabError('LAB_AUTH_FOREIGN_ORIGIN', { origin: origin.slice(0, 200) })
      }
      request.principal =
        authorization === undefined ? anonymous : await findPrincipal(db, authorization)
    })
    return Promise.resolve()
  },
  { name: 'access', fastify: '5.x' },
)

async function findPrincipal(db: Kysely<Tables>, authorization: string): Promise<Principal> {
  const refuse = (reason: string) => new LabError('LAB_AUTH_INVALID_TOKEN', { reason })
  // "Token" is CONFINE's word for it.
  const secret = /^(?:Bearer|Token) ([\w-]{20,200})$/iu.exec(authorization)?.[1]
  if (secret === undefined) throw refuse('it is not of the form "Bearer <token>"')
  // A one-time secret speaks for nobody yet; the enrolment route looks at it itself.
  if (secret.startsWith('cle_')) return anonymous
  const row = await db
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.user_id')
    .select(['tokens.id', 'tokens.role', 'tokens.user_id', 'tokens.node_id', 'users.group_id'])
    .select(['tokens.expires_on', 'tokens.last_used_on'])
    .where('tokens.secret_sha256', '=', hashSecret(secret))
    .executeTakeFirst()
  if (row === undefined) throw refuse('it is not known here, or has been revoked')
  if (row.expires_on !== null && row.expires_on.getTime() < Date.now())
    throw refuse(`it expired on ${row.expires_on.toISOString()}`)
  if (Date.now() - (row.last_used_on?.getTime() ?? 0) > lastUsedGranularityMs)
    await db
      .updateTable('tokens')
      .set({ last_used_on: new Date() })
      .where('id', '=', row.id)
      .execute()
  return {
    role: row.role,
    tokenId: row.id,
    userId: row.user_id,
    groupId: row.group_id,
    nodeId: row.node_id,
  }
}
