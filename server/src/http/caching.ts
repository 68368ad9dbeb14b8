import fp from 'fastify-plugin'
import { etagOf, namesEtag } from '../registry/etag.ts'

/**
 * Sets an ETag on every JSON answer to a GET. A reader who has that answer already gets 304. Clients of CONFINE get another text under the same ETag, so caches keep
 * both apart by what is accepted (Vary).
 */
export const cachingPlugin = fp(
  (app) => {
    app.addHook('preSerialization', async (request, reply, payload) => {
      const reads = request.method === 'GET' || request.method === 'HEAD'
      if (!reads || reply.statusCode !== 200 || payload === null) return payload
      const etag = etagOf(payload)
      const { vary } = reply.getHeaders()
      void reply
        .header('etag', etag)
        .header('cache-control', 'no-cache')
        .header('vary', vary === undefined ? 'Accept' : `${String(vary)}, Accept`)
      const known = request.headers['if-none-match']
      if (known === undefined || !namesEtag(known, etag)) return payload
      void reply.code(304)
      return null
    })
    return Promise.resolve()
  },
  { name: 'caching', fastify: '5.x' },
)
