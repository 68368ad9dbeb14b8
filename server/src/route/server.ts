import {
  Base,
  confineDebugPrefix,
  confinePrivatePrefix,
  Health,
  routes,
} from '@community-lab/contract'
import '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import '../mgmt/management.ts'
import '../telemetry/plugin.ts'
import type { RouteContext } from './context.ts'

/** The server itself: its parameters, and how it is. */
export function serverRoutes(app: FastifyInstance, context: RouteContext): void {
  const { registry, mgmtPrefix, version } = context
  const tags = ['server']
  const base = { uri: routes.base, version }
  app.get(
    routes.base,
    {
      config: { right: 'read the testbed' },
      schema: { tags, summary: "The testbed's parameters", response: { 200: Base } },
    },
    () => {
      return {
        ...base,
        confine_params: {
          debug_ipv6_prefix: confineDebugPrefix,
          priv_ipv6_prefix: confinePrivatePrefix,
        },
        testbed_params: { mgmt_ipv6_prefix: mgmtPrefix },
      } satisfies Base
    },
  )
  app.get(
    routes.health,
    {
      config: { right: 'read the testbed', rateLimit: false },
      schema: { tags, summary: 'Whether all is well', response: { 200: Health, 503: Health } },
    },
    async (_request, reply) => {
      const database = await sql`select 1`.execute(registry.core.db).then(
        () => ({ ok: true }),
        (error: unknown) => ({
          ok: false,
          detail: error instanceof Error ? error.message : String(error),
        }),
      )
      const parts = {
        database,
        management: app.management.health(),
        telemetry: app.telemetry.health(),
      }
      const ok = Object.values(parts).every((part) => part.ok)
      void reply.code(ok ? 200 : 503)
      return { status: ok ? 'ok' : 'degraded', version, parts } satisfies Health
    },
  )
}
