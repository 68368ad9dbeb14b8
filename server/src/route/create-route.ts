import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { RightName } from '../domain/rights.ts'

/** Options of {@link createRoute}. */
export interface CreateRouteOptions<Body extends TSchema> {
  /** The path of the list that the new object is in. */
  readonly url: string
  readonly right: RightName
  readonly tags: string[]
  readonly summary: string
  /** The schema of the members that are given. */
  readonly body: Body
  /** The schema of the new object. */
  readonly schema: TSchema
  readonly create: (request: CreateRequest<Static<Body>>) => Promise<{ readonly uri: string }>
}

/** A request that makes an object. */
export type CreateRequest<Body> = FastifyRequest<{ Body: Body }>

/** Add the route that makes an object. It answers 201, with the object and its location. */
export function createRoute<Body extends TSchema>(
  app: FastifyInstance,
  { url, right, tags, summary, body, schema, create }: CreateRouteOptions<Body>,
): void {
  app.post<{ Body: Static<Body> }>(
    url,
    { config: { right }, schema: { tags, summary, body, response: { 201: schema } } },
    async (request, reply) => {
      const object = await create(request)
      void reply.code(201).header('location', object.uri)
      return object
    },
  )
}
