import { routes, Token, TokenCreate, TokenCreated } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser, permit } from '../access/permit.ts'
import { findRefusal } from '../domain/asker.ts'
import { listTokens } from '../registry/read/access-lists.ts'
import { createToken, deleteToken } from '../registry/write/tokens.ts'
import { numericId, pattern, type RouteContext } from './context.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'

const tags = ['tokens']

/** Routes of tokens, which authenticate users and nodes. */
export function tokenRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.tokens,
    right: 'list tokens',
    tags,
    summary: 'List the tokens of the user who asks; operators: of all',
    source: {
      schema: Token,
      listFor(principal) {
        const isAll = findRefusal('list the tokens of others', principal, {}) === null
        return listTokens(registry, isAll ? 'anybody' : actingUser(principal))
      },
    },
  })
  app.post<{ Body: TokenCreate }>(
    routes.tokens,
    {
      config: { right: 'make a token' },
      schema: {
        tags,
        summary: 'Make a token; its secret is shown this once',
        body: TokenCreate,
        response: { 201: TokenCreated },
      },
    },
    async ({ principal, body }, reply) => {
      if (body.role === 'operator') permit(principal, 'make an operator’s token')
      const maker = { userId: actingUser(principal), endsMs: principal.endsMs }
      const created = await createToken(registry, body, maker)
      void reply.code(201).header('location', created.token.uri)
      return created
    },
  )
  deleteRoute(app, {
    url: pattern(routes.token),
    right: 'revoke a token',
    tags,
    summary: 'Revoke a token, and cut what it has open',
    remove: (request) => deleteToken(registry, numericId(request, 'token')),
  })
}
