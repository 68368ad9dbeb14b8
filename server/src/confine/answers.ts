import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { withSite } from './absolute.ts'
import { putSite } from '../http/kept-list.ts'
import { LargeList } from '../http/large-list.ts'
import { isConfineClient } from './client.ts'
import { compress } from './compress.ts'
import { functionAnswers, type FunctionAnswer } from './functions.ts'
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
      const body = Buffer.isBuffer(payload)
        ? putSite(payload, siteOf(askedOf(request), publicUrl))
        : (payload ?? describeDone(request, reply))
      setHeaders(request, reply, publicUrl)
      return compress(request, reply, body)
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
  const answer = functionAnswerTo(request)
  if (answer !== undefined) {
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

function functionAnswerTo(request: FastifyRequest): FunctionAnswer | undefined {
  return request.method === 'POST' ? functionAnswers[routeOf(request) ?? ''] : undefined
}

/** Give the answer of a function a text where it has nothing else. */
function describeDone(request: FastifyRequest, reply: FastifyReply): unknown {
  const answer = reply.statusCode < 300 ? functionAnswerTo(request) : undefined
  if (answer === undefined) return undefined
  void reply.code(answer.status).type('application/json')
  return JSON.stringify({ detail: answer.detail })
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
