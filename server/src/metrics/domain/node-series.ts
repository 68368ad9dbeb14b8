import {
  labelsOf,
  nodeMeasurements,
  prometheusNames,
  type Point,
} from '@community-lab/contract/samples'
import type { Metric, Series } from './exposition.ts'
import { storedPoint } from './stored-point.ts'

/** The latest rows of a measurement of nodes: one for each node and for each combination of its texts, such as an interface. */
export interface LatestRows {
  /** The measurement. */
  readonly name: string
  readonly rows: readonly LatestRow[]
}

/** A row, with the values of its fields. A field that the sample lacked is null. */
export interface LatestRow {
  readonly node: string
  readonly nodeId: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** The prefix of every metric, as of points. Source: Prometheus, metric and label naming: a metric has the prefix of its application. */
export const metricPrefix = 'community_lab_'
/** The most rows of one node in a measurement, whatever a node sends. */
const maxRowsOfNode = 256
/** The most characters of a label's value. */
const maxLabelCharacters = 128

/**
 * Make metrics of the latest rows of nodes, with the names of points. What is not declared (`nodeMeasurements`) is left out, because any node could invent it.
 */
export function toMetrics(latest: readonly LatestRows[]): Metric[] {
  return latest.flatMap(({ name, rows }) => {
    const declared = nodeMeasurements[name]
    return declared === undefined ? [] : metricsOf(storedPoint(name, declared), boundRows(rows))
  })
}

/** Make the metric of the nodes' states: 1 for the state that a node is in. */
export function stateMetric(
  nodes: readonly { readonly id: number; readonly name: string; readonly state: string }[],
): Metric {
  return {
    name: `${metricPrefix}node_state`,
    help: '1 for the state that the node is in, as the server knows it.',
    type: 'gauge',
    series: nodes.map(({ id, name, state }) => ({
      labels: { node: name, node_id: String(id), state },
      value: 1,
    })),
  }
}

function metricsOf(point: Point, rows: readonly LatestRow[]): Metric[] {
  const texts = labelsOf(point)
  const all = rows.map((row) => ({ row, labels: labelsOfRow(row, texts) }))
  // Labels that were cut may be the same. Prometheus takes no series twice.
  const labelled = [...new Map(all.map((one) => [JSON.stringify(one.labels), one])).values()]
  return prometheusNames(point).flatMap(({ field, name, type, help }): Metric[] => {
    const series = labelled.flatMap(({ row, labels }): Series[] => {
      const value = toNumber(row.fields[field])
      return value === null ? [] : [{ labels, value }]
    })
    return series.length === 0 ? [] : [{ name, help, type, series }]
  })
}

function labelsOfRow(
  { node, nodeId, fields }: LatestRow,
  texts: readonly string[],
): Series['labels'] {
  const labels: Record<string, string> = { node, node_id: String(nodeId) }
  for (const field of texts) {
    const value = fields[field]
    if (typeof value === 'string') labels[field] = value.slice(0, maxLabelCharacters).toWellFormed()
  }
  return labels
}

function boundRows(rows: readonly LatestRow[]): LatestRow[] {
  const counts = new Map<number, number>()
  return rows.filter(({ nodeId }) => {
    const count = (counts.get(nodeId) ?? 0) + 1
    counts.set(nodeId, count)
    return count <= maxRowsOfNode
  })
}

function toNumber(value: unknown): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null
}
