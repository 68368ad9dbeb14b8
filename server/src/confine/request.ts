import { routes } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import { fullAddressOf } from '../http/asker.ts'
import '../http/methods.ts'
import type { Asked } from './site.ts'

/** Return what a request tells of the place that it was sent to. */
export function askedOf(request: FastifyRequest): Asked {
  const isTls = 'encrypted' in request.raw.socket
  return { headers: request.headers, isLocal: fullAddressOf(request) === null, isTls }
}

/** Tell whether a request is one to the API. */
export function isOfApi({ url }: FastifyRequest): boolean {
  return (
    url === '/api' ||
    url.startsWith(routes.getAuthToken) ||
    url.startsWith(routes.base) ||
    url.startsWith('/api?')
  )
}

/** Return the route of a request as the contract writes it, also when its method has none. */
export function routeOf(request: FastifyRequest): string | undefined {
  return request.server.resourceOf(request)?.url.replaceAll(/:(\w+)/gu, '{$1}')
}
