import {
  Agreement,
  AgreementAccept,
  AgreementCreate,
  Group,
  GroupCreate,
  GroupPatch,
  routes,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser } from '../access/permit.ts'
import { findRefusal } from '../domain/asker.ts'
import { listAgreements, listGroups } from '../registry/read/access-lists.ts'
import { publishAgreement, readAgreement } from '../registry/write/agreements.ts'
import {
  acceptAgreement,
  createGroup,
  deleteGroup,
  leaveGroup,
  patchGroup,
  readGroup,
} from '../registry/write/groups.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { dataTarget } from './data.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['groups']

/** Routes of groups, which own nodes and slices. */
export function groupRoutes(app: FastifyInstance, { registry, uploads }: RouteContext): void {
  const idOf = (request: ById): number => numericId(request, 'group')

  listRoute(app, {
    url: routes.groups,
    right: 'read the testbed',
    tags,
    summary: 'List groups',
    source: listGroups(registry),
  })
  createRoute(app, {
    url: routes.groups,
    right: 'make a group',
    tags,
    summary: 'Make a group, which accepts the newest agreement; its maker is its admin',
    body: GroupCreate,
    schema: Group,
    create: ({ principal, body }) => createGroup(registry, actingUser(principal), body),
  })
  readRoute(app, {
    url: pattern(routes.group),
    right: 'read the testbed',
    tags,
    summary: 'Read a group',
    schema: Group,
    read: (request) => readGroup(registry.db, idOf(request)),
  })
  changeRoutes(app, {
    url: pattern(routes.group),
    right: 'change a group',
    tags,
    summary: 'Change a group and its members; what it may have is for operators',
    body: GroupPatch,
    schema: Group,
    change: (request) => {
      const { principal, body } = request
      return patchGroup(registry, idOf(request), body, {
        ifMatch: ifMatchOf(request),
        byUserId: actingUser(principal),
        mayAddUnasked: findRefusal('add a member who has not asked', principal, {}) === null,
      })
    },
  })
  deleteRoute(app, {
    url: pattern(routes.group),
    right: 'remove a group',
    tags,
    summary: 'Remove a group that owns nothing',
    async remove(request) {
      const id = idOf(request)
      await deleteGroup(registry, id, ifMatchOf(request))
      for (const upload of uploads.list(dataTarget(id))) await uploads.cancel(upload.id)
    },
  })
  app.post(
    pattern(routes.groupLeave),
    {
      config: { right: 'leave a group' },
      schema: { tags, summary: 'Be a member of the group no more' },
    },
    async (request: ById, reply) => {
      await leaveGroup(registry, idOf(request), actingUser(request.principal))
      return reply.code(204).send()
    },
  )
  app.post<{ Params: { id: string }; Body: AgreementAccept }>(
    pattern(routes.groupAcceptAgreement),
    {
      config: { right: 'accept an agreement' },
      schema: {
        tags,
        summary: 'Accept the newest agreement for the group, by its number',
        body: AgreementAccept,
        response: { 200: Group },
      },
    },
    (request) => acceptAgreement(registry, idOf(request), request.body),
  )
}

/** Routes of the testbed's agreement and its versions. */
export function agreementRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.agreements,
    right: 'read the testbed',
    tags,
    summary: 'List the versions of the testbed’s agreement',
    source: listAgreements(registry),
  })
  createRoute(app, {
    url: routes.agreements,
    right: 'publish an agreement',
    tags,
    summary: 'Publish the next version of the agreement',
    body: AgreementCreate,
    schema: Agreement,
    create: (request) => publishAgreement(registry, request.body),
  })
  readRoute(app, {
    url: pattern(routes.agreement),
    right: 'read the testbed',
    tags,
    summary: 'Read a version of the agreement',
    schema: Agreement,
    read: (request) => readAgreement(registry.db, numericId(request, 'agreement')),
  })
}
