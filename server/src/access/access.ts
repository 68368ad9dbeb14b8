import { LabError } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyRequest, RouteOptions } from 'fastify'
import { sql, type Kysely } from 'kysely'
import '../decorations.ts'
import { memberRights, rights, type RightName } from '../domain/rights.ts'
import { fullAddressOf } from '../http/asker.ts'
import type { Notifications } from '../postgres/notifications.ts'
import { createGather } from '../postgres/gather.ts'
import type { Tables } from '../postgres/tables.ts'
import { actAs, type Actor } from '../registry/actor.ts'
import { membershipsOf } from '../registry/read/memberships.ts'
import { createOpenRequests } from './open-requests.ts'
import { isOfOneObject, permitObject } from './own-object.ts'
import { permit } from './permit.ts'
import { anonymous, type Principal } from './principal.ts'
import { hashSecret } from './secret.ts'
import { checkCsrf, csrfTokenOf, type SessionCookie } from './session-cookie.ts'
import { createTokenUse, type TokenUse } from './token-use.ts'
import { cutRevokedTokens } from './cut-revoked.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a request to this route does. `domain/rights.ts` says who may do it. */
    right?: RightName
    /** False: a session's cookie is ignored, because the route needs no log-in and must work in any browser. */
    session?: boolean
  }
}

/** Options of {@link accessPlugin}. */
export interface AccessOptions {
  readonly db: Kysely<Tables>
  readonly notifications: Notifications
  /** The origins whose pages may change things, besides the server's own. */
  readonly origins: readonly string[]
  readonly cookie: SessionCookie
}

// Writing every use of a token would make each read request a write.
const useWrittenEveryMs = 10_000
/** The number of tokens that are looked up in one query. */
const gatheredTokens = 500

/**
 * Authenticate and authorize each request before anything else happens and before its body is read, and again after a body was read. A request without a token
 * is anonymous. A wrong token is refused even where none is needed. Each route names its right; the server does not start with a route that names none. A page
 * of a foreign origin may read what is public, and change nothing. Streams that a token has opened are cut when the token is revoked or expires.
 */
export const accessPlugin = fp<AccessOptions>(
  (app, { db, notifications, origins, cookie }) => {
    const open = createOpenRequests()
    const use = createTokenUse({
      db,
      everyMs: useWrittenEveryMs,
      onError: (error) => app.log.error({ err: error }, 'use of tokens not written'),
    })
    const gatherToken = createGather({
      maxKeys: gatheredTokens,
      read: (secrets: readonly string[]) => readTokens(db, secrets),
    })
    const routes: RouteOptions[] = []
    app.decorateRequest('principal')
    app.addHook('onRoute', (route) => void routes.push(route))
    app.addHook('onReady', (done) => {
      const undeclared = routes.find(({ config }) => config?.right === undefined)
      done(undeclared === undefined ? undefined : describeUndeclared(undeclared))
    })
    async function identify(request: FastifyRequest): Promise<void> {
      const { authorization } = request.headers
      const usesSession = request.routeOptions.config.session !== false
      const session = authorization === undefined && usesSession ? cookie.read(request) : null
      request.principal =
        authorization !== undefined
          ? await findPrincipal(gatherToken, authorization, use)
          : session !== null
            ? await findSession(gatherToken, { request, secret: session, use })
            : anonymous
    }
    app.decorateRequest('permitAgain', async function permitAgain(this: FastifyRequest) {
      await identify(this)
      await permitRequest(db, this)
    })
    app.addHook('onRequest', async (request, reply) => {
      checkPath(request)
      checkOrigin(request, origins)
      // Follow the request before the next `await`, so that a token that is revoked meanwhile cuts it, too.
      do await identify(request)
      while (!open.follow(request, reply))
      await permitRequest(db, request)
    })
    // A client can delay its body for as long as it likes, and lose its rights meanwhile.
    app.addHook('preHandler', async (request) => {
      if (mayHaveWaited(request)) await request.permitAgain()
    })
    app.addHook('preHandler', (request, _reply, done) => {
      permitMembers(request)
      const actor = actorOf(request)
      if (actor === null) done()
      else actAs(actor, done)
    })
    const onError = (error: unknown): void =>
      app.log.error({ err: error }, 'revoked tokens not found')
    const unsubscribe = cutRevokedTokens({ db, notifications, open, onError })
    app.addHook('onClose', async () => {
      unsubscribe()
      await use[Symbol.asyncDispose]()
    })
    return Promise.resolve()
  },
  { name: 'access', fastify: '5.x' },
)

function describeUndeclared({ method, url }: RouteOptions): LabError {
  const what = `route ${String(method)} ${url} does not say which right it needs (config.right)`
  return new LabError('LAB_INTERNAL', { what })
}

/** Check that the path has only characters that names and ids may have. @throws {@link LabError} LAB_REQUEST_INVALID. */
function checkPath({ params }: FastifyRequest): void {
  const unreadable = Object.entries(params ?? {}).find(([, text]) => {
    return typeof text === 'string' && (text.includes('\0') || !text.isWellFormed())
  })
  if (unreadable === undefined) return
  const message = 'must be text without the character NUL'
  throw new LabError('LAB_REQUEST_INVALID', {
    issues: [{ pointer: `path ${unreadable[0]}`, message }],
  })
}

/** Check that a page of a foreign origin changes nothing. @throws {@link LabError} LAB_AUTH_FOREIGN_ORIGIN. */
function checkOrigin({ headers, method }: FastifyRequest, origins: readonly string[]): void {
  const { origin, host, upgrade } = headers
  const changes = !['GET', 'HEAD', 'OPTIONS'].includes(method)
  if (origin === undefined || (!changes && upgrade === undefined)) return
  const own = URL.canParse(origin) && new URL(origin).host === host
  if (!own && !origins.includes(origin))
    throw new LabError('LAB_AUTH_FOREIGN_ORIGIN', { origin: origin.slice(0, 200) })
}

async function permitRequest(db: Kysely<Tables>, request: FastifyRequest): Promise<void> {
  // An unknown path has no right, and a preflight request (OPTIONS) only asks what a page may request.
  if (request.is404 || request.method === 'OPTIONS') return
  const { right } = request.routeOptions.config
  // Not reached: the server does not start with such a route.
  if (right === undefined) throw new LabError('LAB_INTERNAL', { what: 'a route without a right' })
  const { principal } = request
  // A user who has no role that would do is told about the object: which group it belongs to, and whom to ask there.
  const isUser = principal.role === 'operator' || principal.role === 'researcher'
  if (!isUser || !isOfOneObject(right)) permit(principal, right, { owner: 'unknown' })
  await permitObject(db, right, request)
}

/** The most time for a node's body before its token is looked up again, in milliseconds. Nodes send many bodies and seldom lose their token. */
const nodeBodyMs = 1_000

/** Tell whether the rights of the asker may have changed while the body was read. */
function mayHaveWaited({ body, principal }: FastifyRequest): boolean {
  const { role, soughtMs } = principal
  if (body === undefined || role === 'anonymous') return false
  return role !== 'node' || performance.now() - soughtMs > nodeBodyMs
}

/** Return the user in whose name the audit trail records the changes of a request; null when the request changes nothing or is a node's report of itself. */
function actorOf(request: FastifyRequest): Actor | null {
  const { principal, routeOptions } = request
  const { right } = routeOptions.config
  if (right === undefined || !rights[right].changes || principal.role === 'node') return null
  const { userId, userName, tokenId, tokenName, role } = principal
  return {
    userId,
    userName,
    tokenId,
    tokenName,
    role: role === 'anonymous' ? null : role,
    address: fullAddressOf(request),
    right,
  }
}

/** Check the members of a body that need a right of their own, with PATCH, PUT and POST alike. */
function permitMembers({ principal, body, routeOptions }: FastifyRequest): void {
  const { right } = routeOptions.config
  const members = right === undefined ? undefined : memberRights[right]
  if (members === undefined || typeof body !== 'object' || body === null) return
  for (const [member, needed] of Object.entries(members))
    if (Object.hasOwn(body, member)) permit(principal, needed)
}

async function findPrincipal(
  gatherToken: (secretHash: string) => Promise<StoredToken | undefined>,
  authorization: string,
  use: TokenUse,
): Promise<Principal> {
  const refuse = (reason: string) => new LabError('LAB_AUTH_INVALID_TOKEN', { reason })
  // CONFINE uses the word "Token".
  const given = /^(?:Bearer|Token) +(\S+)$/iu.exec(authorization)?.[1]
  if (given === undefined)
    throw refuse('the header is not of the form "Authorization: Bearer <token>"')
  const secret = /^[\w-]{20,200}$/u.exec(given)?.[0]
  if (secret === undefined)
    throw refuse('it does not look like a token of a testbed (clr_… or clo_…)')
  // A one-time secret does not authenticate anybody yet. The enrolment route checks it.
  if (secret.startsWith('cle_')) return anonymous
  const soughtMs = performance.now()
  const row = await gatherToken(hashSecret(secret).toString('hex'))
  // The secret of a session is accepted in its cookie alone, where a page's changes need more than the secret.
  if (row === undefined || row.kind === 'session')
    throw refuse('it is not known here, or has been revoked')
  const ended = whyEnded(row)
  if (ended !== null) throw refuse(ended)
  return usePrincipal(row, { use, soughtMs, csrfToken: null })
}

interface SessionOptions {
  readonly request: FastifyRequest
  readonly secret: string
  readonly use: TokenUse
}

/** Find who uses a session. A session that has ended is nobody's, so that its page can log in again. @throws {@link LabError} LAB_AUTH_CSRF. */
async function findSession(
  gatherToken: (secretHash: string) => Promise<StoredToken | undefined>,
  { request, secret, use }: SessionOptions,
): Promise<Principal> {
  const soughtMs = performance.now()
  const row = await gatherToken(hashSecret(secret).toString('hex'))
  if (row?.kind !== 'session' || whyEnded(row) !== null) return anonymous
  checkCsrf(request, secret)
  return usePrincipal(row, { use, soughtMs, csrfToken: csrfTokenOf(secret) })
}

/** Say why a token is valid no more; null when it is valid. */
function whyEnded(row: StoredToken): string | null {
  const { expires_on: expiresOn, idle_s: idleS, last_used_on: used, created_on: created } = row
  const idleMs = idleS === null ? Infinity : idleS * 1000
  if (expiresOn !== null && expiresOn.getTime() <= Date.now())
    return `it expired on ${expiresOn.toISOString()}`
  if (Date.now() - (used ?? created).getTime() > idleMs) return 'it was not used for too long'
  return row.is_active === false ? `user ${row.user_name} is disabled` : null
}

interface UseOptions {
  readonly use: TokenUse
  readonly soughtMs: number
  readonly csrfToken: string | null
}

async function usePrincipal(
  row: StoredToken,
  { use, soughtMs, csrfToken }: UseOptions,
): Promise<Principal> {
  use.note(row.id)
  // The first use of a token is stored at once. Later uses are stored in groups.
  if (row.last_used_on === null) await use.write()
  return {
    role: row.role,
    scope: row.scope,
    tokenId: row.id,
    tokenName: row.token_name,
    userId: row.user_id,
    userName: row.user_name,
    memberships: row.memberships.map((one) => ({
      groupId: one.group_id,
      isGroupAdmin: one.is_group_admin,
      isNodeAdmin: one.is_node_admin,
      isSliceAdmin: one.is_slice_admin,
    })),
    nodeId: row.node_id,
    endsMs: row.expires_on?.getTime() ?? null,
    soughtMs,
    csrfToken,
  }
}

type StoredToken = Awaited<ReturnType<typeof selectTokens>>[number]

function selectTokens(db: Kysely<Tables>, secretHashes: readonly string[]) {
  const hashes = secretHashes.map((hash) => Buffer.from(hash, 'hex'))
  return db
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.user_id')
    .select(['tokens.id', 'tokens.role', 'tokens.scope', 'tokens.user_id', 'tokens.node_id'])
    .select(['tokens.expires_on', 'tokens.last_used_on', 'tokens.created_on', 'secret_sha256'])
    .select(['tokens.kind', 'tokens.idle_s'])
    .select(['users.is_active', 'users.name as user_name', 'tokens.name as token_name'])
    .select(membershipsOf(sql.ref('tokens.user_id')).as('memberships'))
    .where('tokens.secret_sha256', '=', sql<Buffer>`any(${hashes}::bytea[])`)
    .execute()
}

/** Read the tokens of secrets, by the hexadecimal SHA-256 of each secret. */
async function readTokens(
  db: Kysely<Tables>,
  secretHashes: readonly string[],
): Promise<ReadonlyMap<string, StoredToken>> {
  const rows = await selectTokens(db, secretHashes)
  return new Map(rows.map((row) => [row.secret_sha256.toString('hex'), row]))
}
