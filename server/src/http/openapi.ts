import swagger from '@fastify/swagger'
import { Problem, routes } from '@community-lab/contract'
import fp from 'fastify-plugin'
import Fastify, { type FastifyInstance, type FastifySchema } from 'fastify'
import Type, { type TSchema } from 'typebox'
import { describeParties, rights, type RightName } from '../domain/rights.ts'

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
            'The testbed server. Paths, members and Link relations follow CONFINE’s registry API. Reads of the testbed’s state are public; everything else needs `Authorization: Bearer <token>`. Lists are filtered by JSON pointers in the query, such as `/state="production"`. Errors are RFC 9457 problems with stable codes.',
          license: { name: 'GPL-3.0-or-later', identifier: 'GPL-3.0-or-later' },
        },
        // The server may be behind any proxy: paths are relative to where it is.
        servers: [{ url: '/' }],
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      },
      transform: ({ schema, url, route }) => {
        const { method } = route
        const reads = (Array.isArray(method) ? method : [method]).includes('GET')
        const isWebSocket = 'websocket' in route && route.websocket
        const right = route.config?.right ?? 'read the testbed'
        const operationId = nameOperation(String([method].flat()[0]), url)
        return { schema: inline(complete(schema, { reads, isWebSocket, right, operationId })), url }
      },
    })
    let page: Promise<FastifyInstance> | null = null
    app.addHook('onClose', async () => {
      const made = await page?.catch(() => null)
      await made?.close()
    })
    for (const url of [routes.docs, `${routes.docs}/*`])
      app.get(url, {
        // The description needs the same right as the state of the testbed.
        config: { right: 'read the testbed' },
        schema: { hide: true },
        async handler({ method, url: asked, headers }, reply) {
          page ??= makePage(app.swagger({ yaml: false })).catch((error: unknown) => {
            // The next request makes it again.
            page = null
            throw error
          })
          const answer = await (
            await page
          ).inject({ method: asMethod(method), url: asked, headers })
          return reply.code(answer.statusCode).headers(answer.headers).send(answer.rawPayload)
        },
      })
  },
  { name: 'openapi', fastify: '5.x' },
)

/**
 * The page that shows a description, as an application of its own. It is made at the first request for it, because few ask, and loading it takes a fifth of the time of the
 * server's start.
 */
async function makePage(description: object): Promise<FastifyInstance> {
  const { default: swaggerUi } = await import('@fastify/swagger-ui')
  const page = Fastify()
  await page.register(swagger)
  await page.register(swaggerUi, {
    routePrefix: routes.docs,
    uiConfig: { validatorUrl: null },
    staticCSP: policy,
    transformSpecification: () => description,
    transformSpecificationClone: false,
    uiHooks: {
      // The page's own links are relative to a folder, so that it works under any path of a proxy.
      onRequest: (request, reply, next) => {
        if (request.url === routes.docs) void reply.redirect(`.${routes.docs}/`)
        else next()
      },
    },
  })
  return page
}

/** GET routes answer HEAD as well. */
function asMethod(method: string): 'GET' | 'HEAD' {
  return method === 'HEAD' ? 'HEAD' : 'GET'
}

/** The page may load only its own files. It is also served over plain HTTP, on this machine and behind JupyterLab. */
const policy =
  "default-src 'self'; base-uri 'self'; frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; style-src 'self' 'unsafe-inline'"

const count = { type: 'string', pattern: String.raw`^\d{1,15}$` }
const pages = Type.Object({
  page: Type.Optional(
    Type.Unsafe<string>({ ...count, description: 'of a list cut in pages; from 1' }),
  ),
  per_page: Type.Optional(Type.Unsafe<string>({ ...count, description: '1 to 1000; default 100' })),
})

/** The facts that complete the description of a route. */
interface RouteFacts {
  readonly reads: boolean
  readonly isWebSocket: boolean
  readonly right: RightName
  readonly operationId: string
}

const routeNames: ReadonlyMap<string, string> = new Map(
  Object.entries(routes).map(([name, route]) => [route, name]),
)

/** Return the name of an operation for programs: `getNode`, `postSliceRenew`. */
function nameOperation(method: string, url: string): string {
  const name = routeNames.get(url.replaceAll(/:(\w+)/gu, '{$1}')) ?? url
  return `${method.toLowerCase()}${name.charAt(0).toUpperCase()}${name.slice(1)}`
}

/** Add what every route has: its problem answers, the right it needs, and the pages of a list. */
function complete(
  schema: FastifySchema | undefined,
  { reads, isWebSocket, right, operationId }: RouteFacts,
): FastifySchema & { readonly 'x-right': RightName } {
  const { response = {}, querystring, produces = [] } = schema ?? {}
  const answers = response as Readonly<Record<string, TSchema & { readonly type?: string }>>
  const isList = reads && answers['200']?.type === 'array' && querystring === undefined
  const problem = {
    description: 'Why it was refused or has failed',
    content: { 'application/problem+json': { schema: Problem } },
  }
  const isJson = Object.keys(answers).length > 0
  const own = isJson ? answers : isWebSocket ? { 101: switched } : described(produces)
  const same = reads && isJson && produces.length === 0 ? { 304: unchanged } : {}
  return {
    ...schema,
    // The WebSocket plugin hides its routes from the description.
    ...(isWebSocket ? { hide: false } : {}),
    ...(isList ? { querystring: pages } : {}),
    response: { ...own, ...same, '4XX': problem, '5XX': problem },
    operationId,
    description: `Who may: ${describeParties(rights[right], null)}.`,
    'x-right': right,
    security: rights[right].may === 'anybody' ? [{}, { token: [] }] : [{ token: [] }],
  }
}

// The type says that there is no body.
const switched = { type: 'null', description: 'A WebSocket' }
const unchanged = { type: 'null', description: 'The reader has it already (If-None-Match)' }
const done = { type: 'null', description: 'Done; there is no body' }

/** Describe the answer of a route that is not JSON, or that has no body. */
function described(types: readonly string[]): object {
  if (types.length === 0) return { 204: done }
  // An event stream is a sequence of events, and a file is bytes: neither is one text.
  const content = Object.fromEntries(types.map((type) => [type, { schema: {} }]))
  return { 200: { description: types.join(' or '), content } }
}

/** Copy a schema where it is used, because one that is used twice must not have its id twice in the document. */
function inline(schema: FastifySchema): FastifySchema {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (key === '$id' ? undefined : value)),
  ) as FastifySchema
}
