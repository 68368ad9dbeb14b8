import { routes } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyRequest, FastifySchema, RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import '../decorations.ts'
import { findRefusal } from '../domain/asker.ts'
import { memberRights } from '../domain/rights.ts'
import { pathOf } from '../http/methods.ts'
import { prepareAbsolute } from './absolute.ts'
import { prepareBody, type ReadBody } from './body.ts'
import { prepareConstants } from './constants.ts'
import { isConfineClient } from './client.ts'
import { checkNoData } from './functions.ts'
import { checkAccept } from './media-type.ts'
import { askedOf, isOfApi, routeOf } from './request.ts'
import { siteOf } from './site.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How CONFINE's clients are understood and answered at this route. The plugin sets it. */
    confine?: ConfineRoute
  }
}

interface ConfineRoute {
  readonly readBody: ReadBody | null
  /** The changes of answers, by status. */
  readonly shows: Readonly<Record<string, ShowDocument>>
}

/** Return a document as CONFINE's clients get it. */
type ShowDocument = (document: unknown, site: string) => unknown

/** Options of {@link confinePlugin}. */
export interface ConfineOptions {
  /** The URL under which clients reach the server; null: the one that each client uses. */
  readonly publicUrl: string | null
}

/**
 * Reads requests as CONFINE's registry does when clients of CONFINE send them: media types with profiles, redirections to the last slash, bodies that contain
 * whole objects. Clients of this project, which accept problem documents, are refused for what the server does not know. Both have the same routes, documents
 * and rights. Must be registered before authentication and before the routes.
 */
export const confinePlugin = fp<ConfineOptions>(
  (app, { publicUrl }) => {
    app.addHook('onRoute', (route) => {
      if (route.url.startsWith(routes.base)) prepare(route)
    })
    app.addHook('onRequest', (request, reply, done) => {
      if (!isConfineClient(request) || !isOfApi(request)) {
        done()
        return
      }
      const route = routeOf(request)
      const path = pathOf(request.url)
      if (route?.endsWith('/') === true && !path.endsWith('/')) {
        const location = `${siteOf(askedOf(request), publicUrl)}${path}/${request.url.slice(path.length)}`
        void reply.redirect(location, 301)
        return
      }
      checkAccept(request.headers.accept, route)
      done()
    })
    const parse = app.getDefaultJsonParser('error', 'error')
    app.removeContentTypeParser('application/json')
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
      if (body === '' && isConfineClient(request)) done(null, undefined)
      else void parse(request, String(body), done)
    })
    app.addHook('preValidation', (request, _reply, done) => {
      if (isConfineClient(request)) readBody(request)
      done()
    })
    return Promise.resolve()
  },
  { name: 'confine', fastify: '5.x', dependencies: ['methods'] },
)

function prepare(route: RouteOptions): void {
  const schema: FastifySchema = route.schema ?? {}
  const answers = Object.entries((schema.response ?? {}) as Readonly<Record<string, TSchema>>)
  const prepared = answers.map(([status, answer]) => {
    const constants = prepareConstants(answer)
    const absolute = prepareAbsolute(answer)
    const show: ShowDocument = (document, site) => {
      const made = absolute === null ? document : absolute(document, site)
      return constants === null ? made : constants.add(made)
    }
    return { status, schema: constants?.schema ?? answer, show }
  })
  const body = schema.body as TSchema | undefined
  if (answers.length > 0)
    route.schema = {
      ...schema,
      response: Object.fromEntries(prepared.map((each) => [each.status, each.schema])),
    }
  const confine = {
    readBody: body === undefined ? null : prepareBody(body),
    shows: Object.fromEntries(prepared.map(({ status, show }) => [status, show])),
  }
  route.config = { ...route.config, confine }
}

function readBody(request: FastifyRequest): void {
  const { method, principal, routeOptions } = request
  const { confine, right } = routeOptions.config
  if (confine === undefined || ['GET', 'HEAD', 'OPTIONS'].includes(method)) return
  if (confine.readBody === null) {
    if (method === 'POST' && routeOptions.url?.includes('/ctl/') === true) checkNoData(request.body)
    return
  }
  const body = confine.readBody(request.body)
  if (method === 'PUT' && right !== undefined && typeof body === 'object' && body !== null)
    // Who sends a whole object back does not ask to change what others must decide.
    for (const [member, needed] of Object.entries(memberRights[right] ?? {}))
      if (findRefusal(needed, principal, {}) !== null) Reflect.deleteProperty(body, member)
  request.body = body
}
