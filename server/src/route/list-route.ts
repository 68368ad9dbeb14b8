import type { FastifyInstance } from 'fastify'
import Type, { type TSchema } from 'typebox'
import type { Principal } from '../access/principal.ts'
import type { RightName } from '../domain/rights.ts'
import { WrittenList } from '../http/kept-list.ts'
import { linkResource } from '../http/links.ts'
import { answerList } from '../http/list.ts'
import type { ListSource } from '../registry/read/list-source.ts'
import { createKeptTexts } from './kept-texts.ts'

/** Options of {@link listRoute}. */
export interface ListRouteOptions<T> {
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
  /** Parameters that are described apart from filters and pages. */
  readonly querystring?: TSchema
  readonly source: ListSource<T> | AskersSource<T>
}

/** A list that shows each asker what they may see. */
export interface AskersSource<T> {
  /** The schema of one object. */
  readonly schema: TSchema
  listFor(principal: Principal): ListSource<T>
}

/** Add the route of a list, see {@link answerList}. */
export function listRoute<T>(app: FastifyInstance, options: ListRouteOptions<T>): void {
  const { url, right, tags, summary, querystring, source } = options
  const schema = {
    tags,
    summary,
    ...(querystring === undefined ? {} : { querystring }),
    response: { 200: Type.Array(source.schema) },
  }
  const keptTexts = 'kept' in source ? createKeptTexts(source.kept) : undefined
  app.get(url, { config: { right, heavy: true }, schema }, async (request, reply) => {
    const own = 'read' in source ? source : source.listFor(request.principal)
    const kept = keptTexts?.(request, reply)
    const list = await answerList(request, reply, { source: own, kept })
    if (!(list instanceof WrittenList)) return list
    linkResource(request, reply)
    request.listEtag = list.etag
    void reply.type('application/json; charset=utf-8')
    return list.bytes
  })
}
