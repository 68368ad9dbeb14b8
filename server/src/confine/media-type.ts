import { LabError, routes } from '@community-lab/contract'

/** The namespace of profiles. Source: CONFINE REST API, media types. */
const namespace = 'http://confine-project.eu/schema'

const lists: readonly string[] = [
  routes.users,
  routes.groups,
  routes.nodes,
  routes.servers,
  routes.islands,
  routes.hosts,
  routes.templates,
  routes.slices,
  routes.slivers,
]

/** The profile of each resource that CONFINE has: its API, version and kind. Lists have one in common. Source: CONFINE registry API v1. */
const profiles: Readonly<Record<string, string>> = {
  [routes.base]: 'registry/v1/base',
  ...Object.fromEntries(lists.map((route) => [route, 'registry/v1/resource-list'])),
  // CONFINE shows this list with the profile of the registry, by mistake.
  [routes.baseImages]: 'controller/v1/resource-list',
  [routes.user]: 'registry/v1/user',
  [routes.group]: 'registry/v1/group',
  [routes.node]: 'registry/v1/node',
  [routes.server]: 'registry/v1/server',
  [routes.island]: 'registry/v1/island',
  [routes.host]: 'registry/v1/host',
  [routes.template]: 'registry/v1/template',
  [routes.slice]: 'registry/v1/slice',
  [routes.sliver]: 'registry/v1/sliver',
}

/** Return the media type of a resource's documents, with its profile where CONFINE has one. */
export function mediaTypeOf(route: string | undefined): string {
  const profile = route === undefined ? undefined : profiles[route]
  return profile === undefined
    ? 'application/json'
    : `application/json; profile="${namespace}/${profile}"`
}

/**
 * Check that a client accepts a resource as JSON, and with its profile. The version of the API may be left out of a profile. A page (`text/html`) is not made;
 * a browser gets JSON.
 *
 * @throws {@link LabError} LAB_REQUEST_NOT_ACCEPTABLE.
 */
export function checkAccept(accept: string | undefined, route: string | undefined): void {
  // Split at the commas that are not quoted. Strangers choose the header, so this looks at each of its characters once.
  const wanted = ((accept ?? '').match(/(?:[^",]|"[^"]*"?)+/gu) ?? []).map((one) => one.trim())
  if (wanted.every((one) => one === '')) return
  const own = route === undefined ? undefined : profiles[route]
  if (!wanted.some((one) => accepts(one, own)))
    throw new LabError('LAB_REQUEST_NOT_ACCEPTABLE', {
      accept: (accept ?? '').slice(0, 200),
      offered: mediaTypeOf(route),
    })
}

function accepts(mediaRange: string, own: string | undefined): boolean {
  const type = mediaRange.split(';')[0]?.trim().toLowerCase() ?? ''
  if (type === '*/*' || type === 'application/*' || type === 'text/html') return true
  if (type !== 'application/json') return false
  const profile = /;\s*profile\s*=\s*"?([^";]*)"?/iu.exec(mediaRange)?.[1]
  if (profile === undefined) return true
  // Functions have no profile of their own, and CONFINE's answer has whatever was asked for.
  if (own === undefined) return profile.startsWith(`${namespace}/`)
  return profile === `${namespace}/${own}` || profile === `${namespace}/${own.replace('/v1/', '/')}`
}
