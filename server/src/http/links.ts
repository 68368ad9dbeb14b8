import { path, routes } from '@community-lab/contract'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addLinks } from './links-header.ts'

const prefix = 'http://confine-project.eu/rel'

/** The relations of links from the base resource. Source: CONFINE registry API v1, `registry/<kind>-list`; agreements, requests and the journal are our additions. */
const lists = {
  [routes.nodes]: 'registry/node-list',
  [routes.slices]: 'registry/slice-list',
  [routes.slivers]: 'registry/sliver-list',
  [routes.templates]: 'registry/template-list',
  [routes.servers]: 'registry/server-list',
  [routes.islands]: 'registry/island-list',
  [routes.hosts]: 'registry/host-list',
  [routes.groups]: 'registry/group-list',
  [routes.users]: 'registry/user-list',
  [routes.baseImages]: 'controller/baseimage-list',
  [routes.agreements]: 'registry/agreement-list',
  [routes.requests]: 'registry/request-list',
  [routes.journal]: 'registry/journal-list',
} as const

/**
 * The functions of single resources, and what is read about them. Source: CONFINE registry and controller API v1: `do-<function>`, called by POST with a null
 * body, and `state`. Those of groups and requests, histories and availability are our additions.
 */
const functions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [routes.node]: {
    'registry/do-reboot': routes.nodeReboot,
    'controller/state': routes.nodeState,
    'controller/history': routes.nodeHistory,
    'controller/availability': routes.nodeAvailability,
  },
  [routes.user]: { 'controller/do-change-auth': routes.userChangeAuth },
  [routes.slice]: {
    'registry/do-renew': routes.sliceRenew,
    'registry/do-reset': routes.sliceReset,
    'controller/do-upload-data': routes.sliceUploadData,
  },
  [routes.group]: {
    'registry/do-leave': routes.groupLeave,
    'registry/do-accept-agreement': routes.groupAcceptAgreement,
  },
  [routes.request]: {
    'registry/do-accept': routes.requestAccept,
    'registry/do-refuse': routes.requestRefuse,
  },
  [routes.sliver]: {
    'registry/do-update': routes.sliverUpdate,
    'controller/do-upload-data': routes.sliverUploadData,
    'controller/state': routes.sliverState,
    'controller/history': routes.sliverHistory,
    'controller/availability': routes.sliverAvailability,
  },
  [routes.template]: { 'controller/do-upload-image': routes.templateUploadImage },
}

/** Adds CONFINE's Link headers: from the base to every list, from everywhere to the base, and from a resource to its functions. */
export const linksPlugin = fp(
  (app) => {
    app.addHook('preSerialization', (request, reply, payload, done) => {
      linkResource(request, reply)
      done(null, payload)
    })
    return Promise.resolve()
  },
  { name: 'links', fastify: '5.x' },
)

/** Add the links of the resource that a request reads. The plugin does this for answers that Fastify writes as JSON. */
export function linkResource(request: FastifyRequest, reply: FastifyReply): void {
  const { url } = request.routeOptions
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (reads && reply.statusCode === 200 && url?.startsWith(routes.base) === true)
    addLinks(reply, linksOf(url.replaceAll(/:(\w+)/gu, '{$1}'), request.params))
}

function linksOf(route: string, params: unknown): string[] {
  const link = (target: string, relation: string) => `<${target}>; rel="${prefix}/${relation}"`
  const base = link(routes.base, 'registry/base')
  const all = Object.entries(lists)
  if (route === routes.base)
    return [
      base,
      link(routes.getAuthToken, 'controller/do-get-auth-token'),
      ...all.map(([target, relation]) => link(target, relation)),
    ]
  const bases = [base, link(routes.base, 'controller/base')]
  const { id } = (params ?? {}) as { readonly id?: string }
  if (id === undefined) return bases
  const list = all.filter(([target]) => route === `${target}{id}/`)
  const own = Object.entries(functions[route] ?? {})
  return [
    ...bases,
    ...list.map(([target, relation]) => link(target, relation)),
    ...own.map(([relation, target]) => link(path(target, { id }), relation)),
  ]
}
