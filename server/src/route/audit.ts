import { AuditEntry, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { listAudit, readAudit } from '../registry/read/audit.ts'
import { AfterQuery } from '../http/endless-list.ts'
import { found } from '../domain/found.ts'
import { numericId, pattern, type ById, type RouteContext } from './context.ts'
import { listRoute } from './list-route.ts'

const tags = ['audit']

/** Routes of the audit trail: who changed what. No route changes it. */
export function auditRoutes(app: FastifyInstance, { registry }: RouteContext): void {
  listRoute(app, {
    url: routes.audit,
    right: 'read the audit trail',
    tags,
    summary: 'List who changed what, from where and by which token',
    querystring: AfterQuery,
    source: listAudit(registry),
  })
  app.get(
    pattern(routes.auditEntry),
    {
      config: { right: 'read the audit trail' },
      schema: { tags, summary: 'Read an entry of the audit trail', response: { 200: AuditEntry } },
    },
    async (request: ById) => {
      const id = numericId(request, 'audit entry')
      return found((await readAudit(registry.db, { ids: [id] }))[0], 'audit entry', id)
    },
  )
}
