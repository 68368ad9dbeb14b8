import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { routes } from '@community-lab/contract'
import fp from 'fastify-plugin'
import type { FastifySchema } from 'fastify'

/** The OpenAPI 3.1 description, generated from the routes' schemas, at `/docs`. */
export const openapiPlugin = fp<{ readonly version: string }>(
  async (app, { version }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Community-Lab',
          version,
          description:
            'The testbed server. Paths, members and Link relations follow CONFINE’s registry API. Reads of the testbed’s state are public; everything else needs `Authorization: Bearer <token>`. Errors are RFC 9457 problems with stable codes.',
          license: { name: 'GPL-3.0-or-later', identifier: 'GPL-3.0-or-later' },
        },
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      },
      transform: ({ schema, url }) => ({ schema: inline(schema), url }),
    })
    await app.register(swaggerUi, { routePrefix: routes.docs, staticCSP: true })
  },
  { name: 'openapi', fastify: '5.x' },
)

/** Schemas are written out where they are used: one that is used twice must not have its id twice in the document. */
function inline(schema: FastifySchema | undefined): FastifySchema {
  return JSON.parse(
    JSON.stringify(schema ?? {}, (key, value: unknown) => (key === '$id' ? undefined : value)),
  ) as FastifySchema
}
