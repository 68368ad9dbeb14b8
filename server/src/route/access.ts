import {
  AuthTokenAdd,
  Group,
  LabError,
  path,
  routes,
  Token,
  TokenCreate,
  TokenCreated,
  User,
  WhoAmI,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { actingUser, permitRoles } from '../access/permit.ts'
import { answerList } from '../http/list.ts'
import { found } from '../registry/core.ts'
import {
  addAuthToken,
  createToken,
  deleteToken,
  readGroups,
  readTokens,
  readUsers,
} from '../registry/write/access.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'

const tags = ['access']

/** Groups, users, and the tokens that speak for them. */
export function accessRoutes(app: FastifyInstance, { registry: { core } }: RouteContext): void {
  app.get(
    routes.groups,
    { schema: { tags, summary: 'List groups', response: { 200: Type.Array(Group) } } },
    async (request, reply) =>
      answerList(request, reply, { schema: Group, objects: await readGroups(core.db) }),
  )
  app.get(
    pattern(routes.group),
    { schema: { tags, summary: 'Read a group', response: { 200: Group } } },
    async (request: ById) => {
      const id = numericId(request, 'group')
      return found(
        (await readGroups(core.db)).find((group) => group.id === id),
        'group',
        id,
      )
    },
  )
  app.get(
    routes.users,
    { schema: { tags, summary: 'List users', response: { 200: Type.Array(User) } } },
    async (request, reply) => {
      actingUser(request.principal, 'list users')
      return answerList(request, reply, { schema: User, objects: await readUsers(core.db) })
    },
  )
  app.get(
    pattern(routes.user),
    { schema: { tags, summary: 'Read a user', response: { 200: User } } },
    async (request: ById) => {
      actingUser(request.principal, 'read a user')
      const id = numericId(request, 'user')
      return found((await readUsers(core.db, id))[0], 'user', id)
    },
  )
  app.get(
    routes.whoami,
    { schema: { tags, summary: 'Who the asker is', response: { 200: WhoAmI } } },
    async ({ principal: { role, userId, nodeId } }) => {
      if (role === 'anonymous')
        throw new LabError('LAB_AUTH_REQUIRED', { action: 'Asking who you are' })
      return {
        role,
        user: userId === null ? null : ((await readUsers(core.db, userId))[0] ?? null),
        node: nodeId === null ? null : { uri: path(routes.node, { id: nodeId }), id: nodeId },
      } satisfies WhoAmI
    },
  )
  app.post<{ Body: AuthTokenAdd }>(
    routes.addAuthToken,
    {
      schema: {
        tags,
        summary: 'Add an SSH public key to the user who asks',
        body: AuthTokenAdd,
        response: { 200: User },
      },
    },
    (request) => {
      const { userId } = actingUser(request.principal, 'add an SSH key')
      return addAuthToken(core, userId, request.body.auth_token)
    },
  )
  app.get(
    routes.tokens,
    { schema: { tags, summary: 'List tokens', response: { 200: Type.Array(Token) } } },
    async (request, reply) => {
      permitRoles(request.principal, 'list tokens', ['operator'])
      return answerList(request, reply, { schema: Token, objects: await readTokens(core.db) })
    },
  )
  app.post<{ Body: TokenCreate }>(
    routes.tokens,
    {
      schema: {
        tags,
        summary: 'Make a token; its secret is shown this once',
        body: TokenCreate,
        response: { 201: TokenCreated },
      },
    },
    async (request, reply) => {
      permitRoles(request.principal, 'make a token', ['operator'])
      const created = await createToken(core, request.body)
      void reply.code(201).header('location', created.token.uri)
      return created
    },
  )
  app.delete(
    pattern(routes.token),
    { schema: { tags, summary: 'Void a token' } },
    async (request: ById, reply) => {
      permitRoles(request.principal, 'void a token', ['operator'])
      await deleteToken(core, numericId(request, 'token'))
      return reply.code(204).send()
    },
  )
}
