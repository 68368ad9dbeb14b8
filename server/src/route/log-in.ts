import {
  AuthChanged,
  ChangeAuth,
  LabError,
  LoggedIn,
  LogIn,
  routes,
  SessionBegun,
  SessionLogIn,
} from '@community-lab/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { actingUser } from '../access/permit.ts'
import { csrfTokenOf, type SessionCookie } from '../access/session-cookie.ts'
import { addressOf, fullAddressOf } from '../http/asker.ts'
import { changeAuth } from '../registry/write/change-auth.ts'
import { endSession, logIn, type LogInContext } from '../registry/write/log-in.ts'
import { readUser } from '../registry/write/users.ts'
import { numericId, pattern } from './context.ts'

const tags = ['log-in']

/** What these routes need. */
export interface LogInRouteContext extends LogInContext {
  readonly cookie: SessionCookie
}

/** Routes of log-in by password. */
export function logInRoutes(app: FastifyInstance, context: LogInRouteContext): void {
  const { registry, cookie } = context
  app.register((forms, _options, done) => {
    readForms(forms)
    forms.post<{ Body: LogIn }>(
      routes.getAuthToken,
      {
        config: { right: 'log in' },
        schema: {
          tags,
          summary: 'Log in with a name or e-mail address and a password; the token lasts 30 days',
          body: LogIn,
          response: { 200: LoggedIn },
        },
      },
      async (request) => {
        const made = await logIn(context, { ...request.body, kind: 'login', ...from(request) })
        return { token: made.secret }
      },
    )
    done()
  })
  app.post<{ Body: SessionLogIn }>(
    routes.logIn,
    {
      config: { right: 'log in' },
      schema: {
        tags,
        summary: 'Log in as a page: a cookie has the session',
        body: SessionLogIn,
        response: { 200: SessionBegun },
      },
    },
    async (request, reply) => {
      const made = await logIn(context, { ...request.body, kind: 'session', ...from(request) })
      cookie.set(reply, made.secret, made.endsOn)
      const user = await readUser(registry.db, made.userId, 'all')
      const role = user.is_superuser ? 'operator' : 'researcher'
      return { role, user, node: null, csrf_token: csrfTokenOf(made.secret) }
    },
  )
  app.post(
    routes.logOut,
    { config: { right: 'log out' }, schema: { tags, summary: 'End the session of this page' } },
    async ({ principal: { csrfToken, tokenId } }, reply) => {
      if (csrfToken !== null && tokenId !== null) await endSession(registry, tokenId)
      cookie.clear(reply)
      return reply.code(204).send()
    },
  )
  app.post<{ Params: { id: string }; Body: ChangeAuth }>(
    pattern(routes.userChangeAuth),
    {
      config: { right: 'change a password' },
      schema: {
        tags,
        summary: 'Change a user’s password or e-mail address',
        body: ChangeAuth,
        response: { 200: AuthChanged },
      },
    },
    (request) => {
      const { principal, body } = request
      const by = {
        userId: actingUser(principal),
        tokenId: principal.tokenId,
        role: principal.role,
        address: addressOf(request),
      }
      return changeAuth(context, numericId(request, 'user'), { body, by })
    },
  )
}

function from(request: FastifyRequest) {
  return { address: addressOf(request), fullAddress: fullAddressOf(request) }
}

/** Accept HTML forms as well as JSON, as CONFINE does. */
function readForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    ['application/x-www-form-urlencoded', 'multipart/form-data'],
    { parseAs: 'buffer', bodyLimit: 16_384 },
    async ({ headers }: FastifyRequest, body: Buffer) => {
      const type = headers['content-type'] ?? ''
      const form = await readForm(new Uint8Array(body), type)
      return Object.fromEntries([...form].filter(([, value]) => typeof value === 'string'))
    },
  )
}

async function readForm(body: Uint8Array<ArrayBuffer>, type: string): Promise<FormData> {
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- discouraged for large bodies alone; this one has at most 16 KiB and is in memory
    return await new Response(body, { headers: { 'content-type': type } }).formData()
  } catch (cause) {
    const issues = [{ pointer: '', message: 'is no form' }]
    throw new LabError('LAB_REQUEST_INVALID', { issues }, { cause })
  }
}
