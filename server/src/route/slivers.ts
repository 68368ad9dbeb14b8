import { routes, Sliver, SliverCreate, SliverPatch } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { permit } from '../access/permit.ts'
import { readGroupContact } from '../registry/read/group-contact.ts'
import { listSlivers } from '../registry/read/lists.ts'
import { readSlice } from '../registry/write/slices.ts'
import {
  createSliver,
  deleteSliver,
  patchSliver,
  readSliver,
  updateSliver,
} from '../registry/write/slivers.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, pattern, type ById, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['slivers']

/** Slivers: a slice's container on a node. */
export function sliverRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.slivers,
    right: 'read the testbed',
    tags,
    summary: 'List slivers',
    source: listSlivers(registry),
  })
  createRoute(app, {
    url: routes.slivers,
    right: 'add a sliver',
    tags,
    summary: 'Add a sliver',
    body: SliverCreate,
    schema: Sliver,
    create: async (request) => {
      const slice = await readSlice(registry, request.body.slice.id)
      const groupId = slice.group.id
      const group = await readGroupContact(registry.db, groupId)
      permit(request.principal, 'add a sliver', { owner: { groupId }, group })
      return createSliver(registry, request.body)
    },
  })
  readRoute(app, {
    url: pattern(routes.sliver),
    right: 'read the testbed',
    tags,
    summary: 'Read a sliver',
    schema: Sliver,
    read: (request) => readSliver(registry, request.params.id),
  })
  changeRoutes(app, {
    url: pattern(routes.sliver),
    right: 'change a sliver',
    tags,
    summary: 'Change a sliver',
    body: SliverPatch,
    schema: Sliver,
    change: (request) => patchSliver(registry, request.params.id, request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    url: pattern(routes.sliver),
    right: 'remove a sliver',
    tags,
    summary: 'Remove a sliver',
    remove: (request) => deleteSliver(registry, request.params.id, ifMatchOf(request)),
  })
  app.post(
    pattern(routes.sliverUpdate),
    {
      config: { right: 'update a sliver' },
      schema: { tags, summary: 'Make a sliver again, once', response: { 202: Sliver } },
    },
    (request: ById, reply) => {
      void reply.code(202)
      return updateSliver(registry, request.params.id)
    },
  )
}
