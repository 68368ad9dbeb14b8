import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { metricPrefix } from './domain/node-series.ts'

/** What the server says of itself when it is asked for its metrics. */
export interface OwnState {
  /** The number of nodes by state, and of slivers by state; null: the database does not answer. */
  states(): Promise<{ readonly nodes: Counts; readonly slivers: Counts } | null>
  /** Whether each part works, all but the database. */
  parts(): Readonly<Record<string, boolean>>
}

/** How many there are of each kind. */
export type Counts = ReadonlyMap<string, number>

/** A request that was answered. */
export interface Answered {
  readonly method: string
  /** The pattern of its path; empty when no route has it. */
  readonly route: string
  readonly status: number
  readonly seconds: number
}

/** The metrics of the server itself. */
export interface OwnMetrics {
  count(answered: Answered): void
  write(): Promise<string>
}

// Source: OpenTelemetry, semantic conventions for HTTP metrics.
const bucketsS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** Methods of HTTP that have a name of their own. Source: OpenTelemetry, semantic conventions for HTTP: others are `_OTHER`, because clients may invent any. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * Make the metrics of the server. Processor time, memory and files have the names of Prometheus' client libraries, requests those of OpenTelemetry's
 * `http.server.request.duration`, everything else begins with `community_lab_`.
 */
export async function createOwnMetrics(version: string, state: OwnState): Promise<OwnMetrics> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  await removeUnconventional(registry)
  const requests = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'The time from a request to its answer. Streams count with the time for which they were open.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: bucketsS,
    registers: [registry],
  })
  const gauges = {
    build_info: gauge(registry, 'build_info', {
      help: 'Always 1; its label is the version.',
      label: 'version',
    }),
    part_up: gauge(registry, 'part_up', {
      help: '1: this part of the server works.',
      label: 'part',
    }),
    nodes: gauge(registry, 'nodes', {
      help: 'The number of nodes in each state.',
      label: 'state',
    }),
    slivers: gauge(registry, 'slivers', {
      help: 'The number of slivers in each state.',
      label: 'state',
    }),
  }
  gauges.build_info(new Map([[version, 1]]))
  return {
    count({ method, route, status, seconds }) {
      requests.observe(
        {
          http_request_method: methods.has(method) ? method : '_OTHER',
          http_route: route,
          http_response_status_code: status,
        },
        seconds,
      )
    },
    async write() {
      const states = await state.states()
      const parts = Object.entries({ ...state.parts(), database: states !== null })
      gauges.part_up(new Map(parts.map(([part, ok]) => [part, ok ? 1 : 0])))
      gauges.nodes(states?.nodes ?? new Map())
      gauges.slivers(states?.slivers ?? new Map())
      return registry.metrics()
    },
  }
}

/** Add a gauge with one label. Returns the function that sets a value for each value of the label. */
function gauge(
  registry: Registry,
  name: string,
  { help, label }: { readonly help: string; readonly label: string },
): (counts: Counts) => void {
  const added = new Gauge({
    name: `${metricPrefix}${name}`,
    help,
    labelNames: [label],
    registers: [registry],
  })
  return (counts) => {
    added.reset()
    for (const [value, count] of counts) added.set({ [label]: value }, count)
  }
}

/** Remove the library's gauges whose names end with `_total`, which only a counter's may. What they count is there by type, too. */
async function removeUnconventional(registry: Registry): Promise<void> {
  for (const { name, type } of await registry.getMetricsAsJSON())
    if (name.endsWith('_total') && String(type) === 'gauge') registry.removeSingleMetric(name)
}
