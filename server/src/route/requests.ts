import {
  GroupRequest,
  GroupRequestAccept,
  GroupRequestCreate,
  routes,
  type RequestKind,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser, permit } from '../access/permit.ts'
import { readGroupContact } from '../registry/read/group-contact.ts'
import { findRefusal, groupsWithRight } from '../domain/asker.ts'
import type { RightName } from '../domain/rights.ts'
import { listRequests } from '../registry/read/access-lists.ts'
import {
  createRequest,
  decideRequest,
  deleteRequest,
  readRequest,
} from '../registry/write/requests.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['requests']

/** Deciding a request that only operators may grant needs this right besides the one to decide requests of a group. */
const rightToDecide: Readonly<Record<RequestKind, RightName | null>> = {
  join: null,
  allow_nodes: 'allow a group nodes',
  allow_slices: 'allow a group slices',
}

/** Routes for requests of users to group admins and operators. */
export function requestRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const idOf = (request: ById): number => numericId(request, 'request')

  listRoute(app, {
    url: routes.requests,
    right: 'list requests',
    tags,
    summary:
      'List the requests of the user who asks and to the groups that they look after; operators: all',
    source: {
      schema: GroupRequest,
      listFor(principal) {
        if (findRefusal('read all requests', principal, {}) === null)
          return listRequests(registry, 'all')
        const groupIds = groupsWithRight('read a request', principal)
        return listRequests(registry, { userId: principal.userId, groupIds })
      },
    },
  })
  createRoute(app, {
    url: routes.requests,
    right: 'ask for something',
    tags,
    summary: 'Ask to join a group, or that a group may have nodes or slices',
    body: GroupRequestCreate,
    schema: GroupRequest,
    create: async ({ principal, body }) => {
      if (body.kind !== 'join') {
        const groupId = body.group.id
        const group = await readGroupContact(registry.db, groupId)
        permit(principal, 'ask for nodes or slices', { owner: { groupId }, group })
      }
      return createRequest(registry, actingUser(principal), body)
    },
  })
  readRoute(app, {
    url: pattern(routes.request),
    right: 'read a request',
    tags,
    summary: 'Read a request',
    schema: GroupRequest,
    read: (request) => readRequest(registry.db, idOf(request)),
  })
  deleteRoute(app, {
    url: pattern(routes.request),
    right: 'withdraw a request',
    tags,
    summary: 'Withdraw a request that nobody has decided yet',
    remove: (request) => deleteRequest(registry, idOf(request)),
  })
  /** Return the id of a request after checking that the asker may decide it. */
  const decidedBy = async (request: ById): Promise<number> => {
    const { id, kind } = await readRequest(registry.db, idOf(request))
    const right = rightToDecide[kind]
    if (right !== null) permit(request.principal, right)
    return id
  }
  app.post<{ Params: { id: string }; Body: GroupRequestAccept }>(
    pattern(routes.requestAccept),
    {
      config: { right: 'decide a request' },
      schema: {
        tags,
        summary: 'Accept a request, and do what it asks for',
        body: GroupRequestAccept,
        response: { 200: GroupRequest },
      },
    },
    async (request) =>
      decideRequest(registry, await decidedBy(request), {
        byUserId: actingUser(request.principal),
        state: 'accepted',
        flags: request.body,
      }),
  )
  app.post(
    pattern(routes.requestRefuse),
    {
      config: { right: 'decide a request' },
      schema: { tags, summary: 'Refuse a request', response: { 200: GroupRequest } },
    },
    async (request: ById) =>
      decideRequest(registry, await decidedBy(request), {
        byUserId: actingUser(request.principal),
        state: 'refused',
      }),
  )
}
