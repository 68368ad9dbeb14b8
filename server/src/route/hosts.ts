import { Host, HostCreate, HostPatch, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { actingUser } from '../access/permit.ts'
import { listHosts } from '../registry/read/place-lists.ts'
import { createHost, deleteHost, patchHost, readHost } from '../registry/write/hosts.ts'
import { changeRoutes } from './change-routes.ts'
import { ifMatchOf, numericId, pattern, type RouteContext } from './context.ts'
import { createRoute } from './create-route.ts'
import { deleteRoute } from './delete-route.ts'
import { listRoute } from './list-route.ts'
import { readRoute } from './read-route.ts'

const tags = ['hosts']

/** Hosts: machines of users in the management network. */
export function hostRoutes(app: FastifyInstance, { registry }: RouteContext): void {
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
