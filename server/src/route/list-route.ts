import type { FastifyInstance } from 'fastify'
import Type, { type TSchema } from 'typebox'
import type { Principal } from '../access/principal.ts'
import type { RightName } from '../domain/rights.ts'
import { answerList } from '../http/list.ts'
import type { ListSource } from '../registry/read/list-source.ts'

/** Options of {@link listRoute}. */
export interface ListRouteOptions<T> {
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
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
  const { url, right, tags, summary, source } = options
  const schema = { tags, summary, response: { 200: Type.Array(source.schema) } }
  app.get(url, { config: { right }, schema }, (request, reply) =>
    answerList(request, reply, 'read' in source ? source : source.listFor(request.principal)),
  )
}
