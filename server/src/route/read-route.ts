import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'
import type { RightName } from '../domain/rights.ts'
import type { ById } from './context.ts'

/** Options of {@link readRoute}. */
export interface ReadRouteOptions {
  /** The pattern of the path, with `:id`. */
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
  /** The schema of the object. */
  readonly schema: TSchema
  readonly read: (request: ById) => Promise<object>
}

/** Add the route that reads one object. */
export function readRoute(
  app: FastifyInstance,
  { url, right, tags, summary, schema, read }: ReadRouteOptions,
): void {
  app.get(
    url,
    { config: { right }, schema: { tags, summary, response: { 200: schema } } },
    (request: ById) => read(request),
  )
}
