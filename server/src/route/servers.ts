import { routes, Server, ServerCreate, ServerPatch } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { listServers } from '../registry/read/place-lists.ts'
import { createServer, deleteServer, patchServer, readServer } from '../registry/write/servers.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['servers']

/** Servers of the testbed. */
export function serverResourceRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const one = { url: pattern(routes.server), tags }
  listRoute(app, {
    url: routes.servers,
    right: 'read the testbed',
    tags,
    summary: 'List the servers of the testbed',
    source: listServers(registry),
  })
  createRoute(app, {
    url: routes.servers,
    right: 'register a server',
    tags,
    summary: 'Register another server',
    body: ServerCreate,
    schema: Server,
    create: ({ body }) => createServer(registry, body),
  })
  readRoute(app, {
    ...one,
    right: 'read the testbed',
    summary: 'Read a server',
    schema: Server,
    read: (request) => readServer(registry, numericId(request, 'server')),
  })
  changeRoutes(app, {
    ...one,
    right: 'change a server',
    summary: 'Change a server',
    body: ServerPatch,
    schema: Server,
    change: (request) =>
      patchServer(registry, numericId(request, 'server'), request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    ...one,
    right: 'remove a server',
    summary: 'Remove a server other than the one that answers',
    remove: (request) => deleteServer(registry, numericId(request, 'server'), ifMatchOf(request)),
  })
}
