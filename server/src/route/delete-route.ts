import type { FastifyInstance } from 'fastify'
import type { RightName } from '../domain/rights.ts'
import type { ById } from './context.ts'

/** Options of {@link deleteRoute}. */
export interface DeleteRouteOptions {
  /** The pattern of the path, with `:id`. */
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
  readonly remove: (request: ById) => Promise<void>
}

/** Add the route that removes an object. It answers 204, without a body. */
export function deleteRoute(
  app: FastifyInstance,
  { url, right, tags, summary, remove }: DeleteRouteOptions,
): void {
  app.delete(
    url,
    { config: { right }, schema: { tags, summary } },
    async (request: ById, reply) => {
      await remove(request)
      return reply.code(204).send()
    },
  )
}
