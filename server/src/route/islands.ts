import { Island, IslandCreate, IslandPatch, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { listIslands } from '../registry/read/place-lists.ts'
import { createIsland, deleteIsland, patchIsland, readIsland } from '../registry/write/islands.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['islands']

/** Islands: parts of the community network. */
export function islandRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const one = { url: pattern(routes.island), tags }
  listRoute(app, {
    url: routes.islands,
    right: 'read the testbed',
    tags,
    summary: 'List the islands of the community network',
    source: listIslands(registry),
  })
  createRoute(app, {
    url: routes.islands,
    right: 'make an island',
    tags,
    summary: 'Make an island',
    body: IslandCreate,
    schema: Island,
    create: ({ body }) => createIsland(registry, body),
  })
  readRoute(app, {
    ...one,
    right: 'read the testbed',
    summary: 'Read an island',
    schema: Island,
    read: (request) => readIsland(registry, numericId(request, 'island')),
  })
  changeRoutes(app, {
    ...one,
    right: 'change an island',
    summary: 'Change an island',
    body: IslandPatch,
    schema: Island,
    change: (request) =>
      patchIsland(registry, numericId(request, 'island'), request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    ...one,
    right: 'remove an island',
    summary: 'Remove an island; what was on it is on none',
    remove: (request) => deleteIsland(registry, numericId(request, 'island'), ifMatchOf(request)),
  })
}
