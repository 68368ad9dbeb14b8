import {
  Base,
  BaseImage,
  confineDebugPrefix,
  confinePrivatePrefix,
  Health,
  messageOf,
  routes,
} from '@community-lab/contract'
import '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import '../mgmt/management.ts'
import '../telemetry/plugin.ts'
import type { ListSource } from '../registry/read/list-source.ts'
import type { RouteContext } from './context.ts'
import { listRoute } from './list-route.ts'

/** The time for which a result of the database's health check is used, in milliseconds, so that many requests cause one query. */
const healthHoldsMs = 500

/** Routes of the server itself: its parameters and its health. */
export function serverRoutes(app: FastifyInstance, context: RouteContext): void {
  const { registry, mgmtPrefix, version } = context
  const tags = ['server']
  const base = { uri: routes.base, version }
  const databaseHealth = shareFor(healthHoldsMs, () =>
    sql`select 1`.execute(registry.db).then(
      () => ({ ok: true }),
      (error: unknown) => ({
        ok: false,
        detail: messageOf(error),
      }),
    ),
  )
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
  listRoute(app, {
    url: routes.baseImages,
    right: 'read the testbed',
    tags,
    summary: 'List the images of nodes',
    source: noBaseImages,
  })
  app.get(
    routes.health,
    {
      config: { right: 'read the testbed', rateLimit: false },
      schema: { tags, summary: 'Whether all is well', response: { 200: Health, 503: Health } },
    },
    async (_request, reply) => {
      const database = await databaseHealth()
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

/** Devices get their images elsewhere until the server builds them. */
const noBaseImages: ListSource<BaseImage> = {
  schema: BaseImage,
  columns: {},
  count: () => Promise.resolve(0),
  read: () => Promise.resolve([]),
  after: () => sql<boolean>`false`,
}

/** Share one answer among all callers at the same time and for a while after. */
function shareFor<T>(holdsMs: number, ask: () => Promise<T>): () => Promise<T> {
  let shared: { readonly answer: Promise<T>; readonly untilMs: number } | null = null
  return () => {
    if (shared === null || performance.now() > shared.untilMs)
      shared = { answer: ask(), untilMs: performance.now() + holdsMs }
    return shared.answer
  }
}
