import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { etagOf, etagOfText, namesEtag } from '../registry/etag.ts'
import { LargeList } from './large-list.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The ETag of a list that is written already; `of its text`: the list is still to be written; null: the answer is no list. */
    listEtag: string | null
  }
}

const ofText = 'of its text'

/**
 * Sets an ETag on every JSON answer to a GET. A reader who has that answer already gets 304. Clients of CONFINE get another text, so caches keep both apart by
 * what is accepted (Vary).
 *
 * An object has the ETag of its members, the same for all clients: a change may name it (If-Match). A list has that of its text, or of the texts of its objects, so
 * that it is written only once. That of a large list is its version, if it has one.
 */
export const cachingPlugin = fp(
  (app) => {
    app.decorateRequest('listEtag', null)
    app.addHook('preSerialization', async (request, reply, payload) => {
      const reads = request.method === 'GET' || request.method === 'HEAD'
      if (!reads || reply.statusCode !== 200 || payload === null) return payload
      if (payload instanceof LargeList) {
        const { version } = payload
        // The URL is a part of it, because other lists have the same version.
        const isKnown = version !== null && tag(request, reply, etagOf([version, request.url]))
        return isKnown ? null : payload
      }
      const isList: boolean = Array.isArray(payload)
      if (isList) request.listEtag = ofText
      return !isList && tag(request, reply, etagOf(payload)) ? null : payload
    })
    app.addHook('onSend', async (request, reply, answer) => {
      const { listEtag } = request
      if (listEtag === null || reply.statusCode !== 200) return answer
      if (listEtag !== ofText) return tag(request, reply, listEtag) ? '' : answer
      return typeof answer === 'string' && tag(request, reply, etagOfText(answer)) ? '' : answer
    })
    return Promise.resolve()
  },
  { name: 'caching', fastify: '5.x' },
)

/** Set the ETag of an answer. Returns whether the reader has that answer already: then the status is 304. */
function tag(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  void reply.header('etag', etag).header('cache-control', 'no-cache')
  addVary(reply, 'Accept')
  const known = request.headers['if-none-match']
  if (known === undefined || !namesEtag(known, etag)) return false
  void reply.code(304)
  return true
}

/** Add the name of a header on which an answer depends, so that caches keep its forms apart. */
export function addVary(reply: FastifyReply, name: string): void {
  const vary = reply.getHeader('vary')
  void reply.header('vary', vary === undefined ? name : `${String(vary)}, ${name}`)
}
