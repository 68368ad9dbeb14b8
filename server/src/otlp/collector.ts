import { ValueType, type HrTime } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import type { OtelMetric, OtelPoint } from './domain/points.ts'

/** A collector of OpenTelemetry. */
export interface Collector extends AsyncDisposable {
  /** Send metrics. Resolves when the collector has accepted them, and rejects with the reason. */
  send(metrics: readonly OtelMetric[]): Promise<void>
}

/**
 * Make the client of the collector that OpenTelemetry's variables name (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT`, `…_COMPRESSION`,
 * `…_CERTIFICATE`, each also with `METRICS_`), which the library reads. It speaks OTLP over HTTP, as protocol buffers.
 */
export function createCollector(version: string): Collector {
  const exporter = new OTLPMetricExporter()
  const resource = resourceFromAttributes({
    'service.name': 'community-lab',
    'service.version': version,
  })
  return {
    send(metrics) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const scopeMetrics = [
        { scope: { name: 'community-lab', version }, metrics: metrics.map(toData) },
      ]
      exporter.export({ resource, scopeMetrics }, ({ error }) => {
        if (error === undefined) resolve(undefined)
        else reject(error)
      })
      return promise
    },
    [Symbol.asyncDispose]: () => exporter.shutdown(),
  }
}

function toData({ name, unit, isCounter, points }: OtelMetric): MetricData {
  const common = {
    descriptor: { name, unit, description: '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints: points.map(toPoint),
  }
  return isCounter
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true }
    : { ...common, dataPointType: DataPointType.GAUGE }
}

function toPoint({ timeUs, attributes, value }: OtelPoint) {
  // When a counter began is not known. Source: OTLP, metrics.proto: 0 is an unknown start.
  const startTime: HrTime = [0, 0]
  const endTime: HrTime = [Math.floor(timeUs / 1e6), (timeUs % 1e6) * 1000]
  return { startTime, endTime, attributes: { ...attributes }, value }
}
