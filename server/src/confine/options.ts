import { LabError, routes, tusVersion } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { pathOf } from '../http/methods.ts'

/** The types of bodies that the API reads, as CONFINE names them. */
const parses = ['application/json']

/** Answers OPTIONS: the methods of a resource in Allow, and what it is. A browser's question before a request of another origin is answered by its headers alone. */
export function optionsRoute(app: FastifyInstance): void {
  // A path that ends with the slash before the wildcard does not match it.
  for (const url of [routes.base, `${routes.base}*`])
    app.options(
      url,
      { config: { right: 'read the testbed' }, schema: { hide: true } },
      (request, reply) => {
        if (request.headers['access-control-request-method'] !== undefined)
          return reply.code(204).send()
        const path = pathOf(request.url)
        const resource = app.resourceOf(request)
        if (resource === null)
          throw new LabError('LAB_NOT_FOUND', { kind: 'resource', id: path.slice(0, 200) })
        // A client of resumable uploads asks what the server speaks. Source: tus 1.0.0, OPTIONS.
        if (resource.url.includes('/uploads/'))
          void reply
            .header('tus-version', tusVersion)
            .header('tus-resumable', tusVersion)
            .header('tus-extension', 'creation,expiration,termination')
        const name = path === routes.base ? 'Base' : nameOf(path)
        const description = `${resource.methods.join(', ')}; described at ${routes.docs}`
        return reply.send({ name, description, renders: ['application/json'], parses })
      },
    )
}

/** Return the name of a resource: "Node List", "Node", "Reboot". */
function nameOf(path: string): string {
  const parts = path.split('/').filter((part) => part !== '')
  const last = parts.at(-1) ?? ''
  const kind = (parts[1] ?? '').replace(/s$/u, '')
  if (parts.length === 2) return `${title(kind)} List`
  return parts.length === 3 ? title(kind) : title(last.replaceAll('-', ' '))
}

function title(text: string): string {
  return text.replaceAll(/\b[a-z]/gu, (letter) => letter.toUpperCase())
}
