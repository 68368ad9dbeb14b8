import {
  AuthTokenAdd,
  AuthTokenRemove,
  path,
  routes,
  User,
  UserCreate,
  UserPatch,
  WhoAmI,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser, permit } from '../access/permit.ts'
import type { Principal } from '../access/principal.ts'
import { findRefusal } from '../domain/asker.ts'
import type { KeysShown } from '../registry/read/access.ts'
import { listUsers } from '../registry/read/access-lists.ts'
import {
  addAuthToken,
  createUser,
  deleteUser,
  patchUser,
  readUser,
  removeAuthToken,
} from '../registry/write/users.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['users']

/** Return whose SSH keys an asker may read. */
function keysShownTo(principal: Principal): KeysShown {
  const readsAll = findRefusal('read SSH keys', principal, {}) === null
  return readsAll ? 'all' : { ofUser: principal.userId }
}

/** Routes of users and their groups. */
export function userRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.users,
    right: 'read users',
    tags,
    summary: 'List users',
    source: {
      schema: User,
      listFor: (principal) => listUsers(registry, keysShownTo(principal)),
    },
  })
  createRoute(app, {
    url: routes.users,
    right: 'make a user',
    tags,
    summary: 'Make a user',
    body: UserCreate,
    schema: User,
    create: (request) => createUser(registry, request.body),
  })
  readRoute(app, {
    url: pattern(routes.user),
    right: 'read users',
    tags,
    summary: 'Read a user',
    schema: User,
    read: (request) =>
      readUser(registry.db, numericId(request, 'user'), keysShownTo(request.principal)),
  })
  changeRoutes(app, {
    url: pattern(routes.user),
    right: 'change a user',
    tags,
    summary: 'Change a user',
    body: UserPatch,
    schema: User,
    change: (request) =>
      patchUser(registry, numericId(request, 'user'), request.body, {
        ifMatch: ifMatchOf(request),
        keysShown: keysShownTo(request.principal),
      }),
  })
  deleteRoute(app, {
    url: pattern(routes.user),
    right: 'remove a user',
    tags,
    summary: 'Remove a user with their tokens and SSH keys',
    remove: (request) => deleteUser(registry, numericId(request, 'user')),
  })
  app.get(
    routes.whoami,
    {
      config: { right: 'ask who it is' },
      schema: { tags, summary: 'Who the asker is', response: { 200: WhoAmI } },
    },
    async ({ principal }) => {
      const { role, userId, nodeId, csrfToken } = principal
      return {
        ...(csrfToken === null ? {} : { csrf_token: csrfToken }),
        role,
        user: userId === null ? null : await readUser(registry.db, userId, keysShownTo(principal)),
        node: nodeId === null ? null : { uri: path(routes.node, { id: nodeId }), id: nodeId },
      }
    },
  )
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
    ({ principal, body }) => addAuthToken(registry, actingUser(principal), body.auth_token),
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
      const userId = actingUser(principal)
      if (user !== undefined && user !== userId) permit(principal, 'take away another’s SSH key')
      return removeAuthToken(registry, user ?? userId, key)
    },
  )
}
