import {
  AuthTokenAdd,
  AuthTokenRemove,
  Group,
  path,
  routes,
  TokenCreate,
  TokenCreated,
  User,
  WhoAmI,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser, permitRight } from '../access/permit.ts'
import { listGroups, listTokens, listUsers } from '../registry/read/access-lists.ts'
import { readGroups, readUsers } from '../registry/read/access.ts'
import { found } from '../registry/refusal.ts'
import { createToken, deleteToken } from '../registry/write/tokens.ts'
import { addAuthToken, deleteUser, removeAuthToken } from '../registry/write/users.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'
import { listRoute } from './list-route.ts'

const tags = ['access']

/** Groups and users. */
export function userRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.groups,
    right: 'read the testbed',
    tags,
    summary: 'List groups',
    source: listGroups(registry),
  })
  app.get(
    pattern(routes.group),
    {
      config: { right: 'read the testbed' },
      schema: { tags, summary: 'Read a group', response: { 200: Group } },
    },
    async (request: ById) => {
      const id = numericId(request, 'group')
      return found((await readGroups(registry.db, { ids: [id] }))[0], 'group', id)
    },
  )
  listRoute(app, {
    url: routes.users,
    right: 'read users',
    tags,
    summary: 'List users',
    source: listUsers(registry),
  })
  app.get(
    pattern(routes.user),
    {
      config: { right: 'read users' },
      schema: { tags, summary: 'Read a user', response: { 200: User } },
    },
    async (request: ById) => {
      const id = numericId(request, 'user')
      return found((await readUsers(registry.db, { ids: [id] }))[0], 'user', id)
    },
  )
  app.delete(
    pattern(routes.user),
    {
      config: { right: 'remove a user' },
      schema: { tags, summary: 'Remove a user with their tokens and SSH keys' },
    },
    async (request: ById, reply) => {
      await deleteUser(registry, numericId(request, 'user'))
      return reply.code(204).send()
    },
  )
  app.get(
    routes.whoami,
    {
      config: { right: 'ask who it is' },
      schema: { tags, summary: 'Who the asker is', response: { 200: WhoAmI } },
    },
    async ({ principal: { role, userId, nodeId } }) => ({
      role,
      user: userId === null ? null : ((await readUsers(registry.db, { ids: [userId] }))[0] ?? null),
      node: nodeId === null ? null : { uri: path(routes.node, { id: nodeId }), id: nodeId },
    }),
  )
}

/** What lets people in: their SSH keys, and the tokens that speak for them. */
export function keyRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  app.post<{ Body: AuthTokenAdd }>(
    routes.addAuthToken,
    {
      config: { right: 'change its SSH keys' },
      schema: {
        tags,
        summary: 'Add an SSH public key to the user who asks',
        body: AuthTokenAdd,
        response: { 200: User },
      },
    },
    ({ principal, body }) => addAuthToken(registry, actingUser(principal).userId, body.auth_token),
  )
  app.post<{ Body: AuthTokenRemove }>(
    routes.removeAuthToken,
    {
      config: { right: 'change its SSH keys' },
      schema: {
        tags,
        summary: 'Take an SSH public key away from the user who asks; operators: from any user',
        body: AuthTokenRemove,
        response: { 200: User },
      },
    },
    ({ principal, body: { auth_token: key, user } }) => {
      const { userId } = actingUser(principal)
      if (user !== undefined && user !== userId) permitRight(principal, 'remove a user')
      return removeAuthToken(registry, user ?? userId, key)
    },
  )
  listRoute(app, {
    url: routes.tokens,
    right: 'list tokens',
    tags,
    summary: 'List tokens',
    source: listTokens(registry),
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
    async (request, reply) => {
      const created = await createToken(registry, request.body)
      void reply.code(201).header('location', created.token.uri)
      return created
    },
  )
  app.delete(
    pattern(routes.token),
    {
      config: { right: 'void a token' },
      schema: { tags, summary: 'Void a token, and cut what it has open' },
    },
    async (request: ById, reply) => {
      await deleteToken(registry, numericId(request, 'token'))
      return reply.code(204).send()
    },
  )
}
