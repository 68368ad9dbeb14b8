import { nodeMeasurements, type DeclaredFields } from '@community-lab/contract/samples'
import type { Metric, Series } from './exposition.ts'

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

/** The prefix of every metric. Source: Prometheus, metric and label naming: a metric has the prefix of its application. */
export const metricPrefix = 'community_lab_'
/** The most rows of one node in a measurement, whatever a node sends. */
const maxRowsOfNode = 256
/** The most characters of a label's value. */
const maxLabelCharacters = 128

/**
 * Make metrics of the latest rows of nodes. Each number that is declared (`nodeMeasurements`) is a metric `community_lab_<measurement>_<field>`: a counter when
 * its name ends with `_total`, else a gauge. Texts are labels. What is not declared is left out, because any node could invent it.
 */
export function toMetrics(latest: readonly LatestRows[]): Metric[] {
  return latest.flatMap(({ name, rows }) => {
    const declared = nodeMeasurements[name]
    return declared === undefined ? [] : metricsOf(name, declared, boundRows(rows))
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

function metricsOf(name: string, declared: DeclaredFields, rows: readonly LatestRow[]): Metric[] {
  const labelled = rows.map((row) => ({ row, labels: labelsOf(row, declared) }))
  const numbers = Object.keys(declared).filter((field) => declared[field] !== 'text')
  return numbers.flatMap((field): Metric[] => {
    const series = labelled.flatMap(({ row, labels }): Series[] => {
      const value = toNumber(row.fields[field])
      return value === null ? [] : [{ labels, value }]
    })
    if (series.length === 0) return []
    return [
      {
        name: `${metricPrefix}${name}_${field}`,
        help: `The latest ${field} of ${name}, as each node measures it.`,
        type: field.endsWith('_total') ? 'counter' : 'gauge',
        series,
      },
    ]
  })
}

function labelsOf({ node, nodeId, fields }: LatestRow, declared: DeclaredFields): Series['labels'] {
  const labels: Record<string, string> = { node, node_id: String(nodeId) }
  for (const [field, kind] of Object.entries(declared)) {
    const value = fields[field]
    if (kind === 'text' && typeof value === 'string')
      labels[field] = value.slice(0, maxLabelCharacters).toWellFormed()
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
