import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { RightName } from '../domain/rights.ts'

/** Options of {@link changeRoutes}. */
export interface ChangeRoutesOptions<Body extends TSchema> {
  /** The pattern of the path, with `:id`. */
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
  /** The schema of the members that can be changed. */
  readonly body: Body
  /** The schema of the changed object. */
  readonly schema: TSchema
  readonly change: (request: ChangeRequest<Static<Body>>) => Promise<object>
}

/** A request that changes one object. */
export type ChangeRequest<Body> = FastifyRequest<{ Params: { id: string }; Body: Body }>

/** Add the routes that change an object: PATCH, and PUT for clients of CONFINE, which send the whole object back. */
export function changeRoutes<Body extends TSchema>(
  app: FastifyInstance,
  { url, right, tags, summary, body, schema, change }: ChangeRoutesOptions<Body>,
): void {
  for (const method of ['PATCH', 'PUT'] as const)
    app.route<{ Params: { id: string }; Body: Static<Body> }>({
      method,
      url,
      config: { right },
      schema: { tags, summary, body, response: { 200: schema } },
      handler: (request) => change(request),
    })
}
