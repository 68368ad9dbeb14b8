import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { etagOf, etagOfText, namesEtag } from '../registry/etag.ts'
import { WrittenList } from './kept-list.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the answer is a list, see {@link cachingPlugin}. */
    isAnsweredByList: boolean
  }
}

/**
 * Sets an ETag on every JSON answer to a GET. A reader who has that answer already gets 304. Clients of CONFINE get another text, so caches keep both apart by
 * what is accepted (Vary).
 *
 * An object has the ETag of its members, the same for all clients: a change may name it (If-Match). A list has that of its text, so that it is written as text
 * only once.
 */
export const cachingPlugin = fp(
  (app) => {
    app.decorateRequest('isAnsweredByList', false)
    app.addHook('preSerialization', async (request, reply, payload) => {
      const reads = request.method === 'GET' || request.method === 'HEAD'
      if (!reads || reply.statusCode !== 200 || payload === null) return payload
      if (payload instanceof WrittenList) return tag(request, reply, payload.etag) ? null : payload
      request.isAnsweredByList = Array.isArray(payload)
      if (request.isAnsweredByList) return payload
      return tag(request, reply, etagOf(payload)) ? null : payload
    })
    app.addHook('onSend', async (request, reply, text) => {
      if (!request.isAnsweredByList || reply.statusCode !== 200 || typeof text !== 'string')
        return text
      return tag(request, reply, etagOfText(text)) ? '' : text
    })
    return Promise.resolve()
  },
  { name: 'caching', fastify: '5.x' },
)

/** Set the ETag of an answer. Returns whether the reader has that answer already: then the status is 304. */
function tag(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  const { vary } = reply.getHeaders()
  void reply
    .header('etag', etag)
    .header('cache-control', 'no-cache')
    .header('vary', vary === undefined ? 'Accept' : `${String(vary)}, Accept`)
  const known = request.headers['if-none-match']
  if (known === undefined || !namesEtag(known, etag)) return false
  void reply.code(304)
  return true
}
