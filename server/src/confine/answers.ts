import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { withSite } from './absolute.ts'
import { LargeList } from '../http/large-list.ts'
import { isConfineClient } from './client.ts'
import { compress } from './compress.ts'
import { functionAnswers } from './functions.ts'
import { mediaTypeOf } from './media-type.ts'
import type { ConfineOptions } from './plugin.ts'
import { askedOf, isOfApi, routeOf } from './request.ts'
import { siteOf } from './site.ts'

/**
 * Gives CONFINE's clients absolute URIs, the media types with profiles, the texts of functions, and compressed answers. Must be registered after the plugin that computes ETags:
 * then an object has one ETag, by whatever name the server was reached.
 */
export const confineAnswersPlugin = fp<ConfineOptions>(
  (app, { publicUrl }) => {
    app.addHook('preSerialization', (request, reply, payload, done) => {
      done(
        null,
        isConfineClient(request) ? present(request, reply, { payload, publicUrl }) : payload,
      )
    })
    app.addHook('onSend', async (request, reply, payload) => {
      if (!isConfineClient(request) || !isOfApi(request)) return payload
      setHeaders(request, reply, publicUrl)
      return compress(request, reply, payload)
    })
    return Promise.resolve()
  },
  { name: 'confine-answers', fastify: '5.x', dependencies: ['confine', 'caching'] },
)

interface Presented {
  readonly payload: unknown
  readonly publicUrl: string | null
}

function present(
  request: FastifyRequest,
  reply: FastifyReply,
  { payload, publicUrl }: Presented,
): unknown {
  if (payload === null || reply.statusCode >= 300) return payload
  const answer = functionAnswers[routeOf(request) ?? '']
  if (answer !== undefined && request.method === 'POST') {
    void reply.code(answer.status).serializer(JSON.stringify)
    return { detail: answer.detail }
  }
  const show = request.routeOptions.config.confine?.shows[reply.statusCode]
  if (show === undefined) return payload
  const site = siteOf(askedOf(request), publicUrl)
  return payload instanceof LargeList
    ? payload.map((batch) => show(batch, site))
    : show(payload, site)
}

function setHeaders(request: FastifyRequest, reply: FastifyReply, publicUrl: string | null): void {
  const type = reply.getHeader('content-type')
  if (typeof type === 'string' && type.startsWith('application/json'))
    void reply.header('content-type', mediaTypeOf(routeOf(request)))
  const location = reply.getHeader('location')
  const link = reply.getHeader('link')
  if (location === undefined && link === undefined) return
  const site = siteOf(askedOf(request), publicUrl)
  if (typeof location === 'string') void reply.header('location', withSite(location, site))
  if (typeof link === 'string') void reply.header('link', link.replaceAll('</', `<${site}/`))
}
