import { nodeMeasurements, routes } from '@community-lab/contract'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import '../decorations.ts'
import '../mgmt/management.ts'
import '../telemetry/decoration.ts'
import { expositionType, writeExposition } from '../metrics/domain/exposition.ts'
import { stateMetric, toMetrics, type LatestRow } from '../metrics/domain/node-series.ts'
import { createOwnMetrics, type Counts, type OwnMetrics } from '../metrics/own-metrics.ts'
import type { LatestAnswer } from '../telemetry/store/protocol.ts'
import type { RouteContext } from './context.ts'

/** Samples that are older are no present state of a node, in milliseconds. Source: Prometheus marks a series as stale after five minutes. */
const presentMs = 5 * 60_000

/** Count requests for {@link metricsRoutes}. Must be called before routes are added. */
export async function countRequests(
  app: FastifyInstance,
  { registry, version }: Pick<RouteContext, 'registry' | 'version'>,
): Promise<OwnMetrics> {
  const metrics = await createOwnMetrics(version, {
    async states() {
      const count = async (table: 'nodes' | 'slivers'): Promise<Counts> => {
        const { rows } = await sql<{ state: string; count: number }>`
          select state, count(*)::int as count from ${sql.table(table)} group by state`.execute(
          registry.db,
        )
        return new Map(rows.map(({ state, count: number }) => [state, number]))
      }
      try {
        return { nodes: await count('nodes'), slivers: await count('slivers') }
      } catch {
        // The part `database` is reported as down.
        return null
      }
    },
    parts: () => ({ management: app.management.health().ok, telemetry: app.telemetry.health().ok }),
  })
  app.addHook('onResponse', (request, reply, done) => {
    metrics.count({
      method: request.method,
      route: request.routeOptions.url ?? '',
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    })
    done()
  })
  return metrics
}

/** Routes for servers of Prometheus: metrics of this server, and what the nodes measure of themselves. */
export function metricsRoutes(
  app: FastifyInstance,
  { registry }: RouteContext,
  metrics: OwnMetrics,
): void {
  const tags = ['measurements']
  const produces = ['text/plain']
  app.get(
    routes.metrics,
    {
      config: { right: 'read the server’s metrics' },
      schema: { tags, summary: 'Metrics of the server, for Prometheus', produces },
    },
    async (_request, reply) => reply.type(expositionType).send(await metrics.write()),
  )
  app.get(
    routes.nodeMetrics,
    {
      config: { right: 'read the testbed', heavy: true },
      schema: {
        tags,
        summary: 'What the nodes measure of themselves, at present, for Prometheus',
        produces,
      },
    },
    async (_request, reply) => {
      const sinceUs = (Date.now() - presentMs) * 1000
      const latest = await Promise.all(
        Object.keys(nodeMeasurements).map(async (name) => ({
          name,
          rows: readRows(await app.telemetry.latest({ name, sinceUs })),
        })),
      )
      const nodes = await registry.db.selectFrom('nodes').select(['id', 'name', 'state']).execute()
      const states = stateMetric(nodes)
      return reply.type(expositionType).send(writeExposition([states, ...toMetrics(latest)]))
    },
  )
}

function readRows({ columns, rows }: LatestAnswer): LatestRow[] {
  return rows.map((row) => {
    const fields = Object.fromEntries(columns.map((column, index) => [column, row[index]]))
    return { node: String(fields['node']), nodeId: Number(fields['node_id']), fields }
  })
}
