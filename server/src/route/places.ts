import {
  Host,
  HostCreate,
  HostPatch,
  Island,
  IslandCreate,
  IslandPatch,
  routes,
  Server,
  ServerCreate,
  ServerPatch,
} from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser } from '../access/permit.ts'
import { listHosts, listIslands, listServers } from '../registry/read/place-lists.ts'
import { createHost, deleteHost, patchHost, readHost } from '../registry/write/hosts.ts'
import { createIsland, deleteIsland, patchIsland, readIsland } from '../registry/write/islands.ts'
import { createServer, deleteServer, patchServer, readServer } from '../registry/write/servers.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

/** Servers of the testbed. */
export function serverResourceRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const tags = ['servers']
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

/** Islands: parts of the community network. */
export function islandRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const tags = ['islands']
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

/** Hosts: machines of users in the management network. */
export function hostRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  const tags = ['hosts']
  const one = { url: pattern(routes.host), tags }
  listRoute(app, {
    url: routes.hosts,
    right: 'read the testbed',
    tags,
    summary: 'List the hosts',
    source: listHosts(registry),
  })
  createRoute(app, {
    url: routes.hosts,
    right: 'register a host',
    tags,
    summary: 'Register a machine of the user who asks',
    body: HostCreate,
    schema: Host,
    create: async ({ principal, body }) => {
      const host = await createHost(registry, actingUser(principal), body)
      // tincd lets unknown hosts wait: a host that connects before its file is there would be delayed by 10 s.
      await app.management.updated()
      return host
    },
  })
  readRoute(app, {
    ...one,
    right: 'read the testbed',
    summary: 'Read a host',
    schema: Host,
    read: (request) => readHost(registry, numericId(request, 'host')),
  })
  changeRoutes(app, {
    ...one,
    right: 'change a host',
    summary: 'Change a host',
    body: HostPatch,
    schema: Host,
    change: (request) =>
      patchHost(registry, numericId(request, 'host'), request.body, ifMatchOf(request)),
  })
  deleteRoute(app, {
    ...one,
    right: 'remove a host',
    summary: 'Remove a host; it may not join the management network any more',
    remove: (request) => deleteHost(registry, numericId(request, 'host'), ifMatchOf(request)),
  })
}
