import { LabError, routes } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** The methods of a resource, in the order of CONFINE's header. */
const order = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

/** A resource: its route, with `:id`, and its methods. */
export interface Resource {
  readonly url: string
  readonly methods: readonly string[]
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Find the resource of a request, also when its method has no route; null when there is none. */
    readonly resourceOf: (request: Pick<FastifyRequest, 'url' | 'routeOptions'>) => Resource | null
  }
}

/**
 * Tells the methods of each resource: in the header Allow of every answer of the API, and in the refusal of another method. Must be registered before the
 * routes.
 */
export const methodsPlugin = fp(
  (app) => {
    const resources = new Map<string, Resource>()
    const patterns: (readonly [RegExp, string])[] = []
    app.addHook('onRoute', ({ url, method }) => {
      if (!(url.startsWith(routes.base) || url === routes.getAuthToken) || url.includes('*')) return
      const known = resources.get(url)
      if (known === undefined) patterns.push([patternOf(url), url])
      const all = new Set([...(known?.methods ?? ['OPTIONS']), ...[method].flat()])
      resources.set(url, { url, methods: order.filter((each) => all.has(each)) })
    })
    app.decorate('resourceOf', ({ url, routeOptions }) => {
      const routed = resources.get(routeOptions.url ?? '')
      if (routed !== undefined || !url.startsWith('/api')) return routed ?? null
      const found = patterns.find(([pattern]) => pattern.test(pathOf(url)))?.[1]
      return found === undefined ? null : (resources.get(found) ?? null)
    })
    app.addHook('onRequest', (request, reply, done) => {
      const resource = app.resourceOf(request)
      if (resource !== null) void reply.header('allow', resource.methods.join(', '))
      done()
    })
    return Promise.resolve()
  },
  { name: 'methods', fastify: '5.x' },
)

/** Return the error of a request that no route answers: another method of a resource, or no resource. */
export function noRoute(app: FastifyInstance, request: FastifyRequest): LabError {
  const { method, url } = request
  const path = pathOf(url).slice(0, 200)
  const resource = app.hasDecorator('resourceOf') ? app.resourceOf(request) : null
  return resource === null
    ? new LabError('LAB_NOT_FOUND', { kind: 'resource', id: `${method} ${path}` })
    : new LabError('LAB_REQUEST_METHOD', { method, path, allowed: resource.methods })
}

/** Return the path of a request, without its query. */
export function pathOf(url: string): string {
  return url.split('?')[0] ?? ''
}

function patternOf(url: string): RegExp {
  const text = url
    .replace(/\/$/u, '')
    .replaceAll(/[.]/gu, String.raw`\.`)
    .replaceAll(/:\w+/gu, '[^/]+')
  return new RegExp(`^${text}/?$`, 'u')
}
