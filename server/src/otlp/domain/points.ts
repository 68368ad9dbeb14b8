import {
  decodeNumber,
  isExactNumber,
  openTelemetryNames,
  type FieldKind,
  type RowBatch,
} from '@community-lab/contract'
import { storedPoint } from '../../metrics/domain/stored-point.ts'

/** A value with its time, for a collector of OpenTelemetry. */
export interface OtelPoint {
  /** Microseconds since the epoch, by the clock of the node. */
  readonly timeUs: number
  readonly attributes: Readonly<Record<string, string | number>>
  readonly value: number
}

/** The values of one column. */
export interface OtelMetric {
  readonly name: string
  /** In the notation of UCUM; empty: none is known. */
  readonly unit: string
  /** Whether it only grows, until what counts is started again. */
  readonly isCounter: boolean
  readonly points: readonly OtelPoint[]
}

/** The measurement of some rows. */
export interface PointsOf {
  readonly scope: string
  readonly name: string
}

/** Columns that tell of a row as a whole. The others of these names are the server's own. */
const ofRow = new Set(['time', 'node', 'node_id', 'sliver', 'seq', 'spool', 'landed', 'overflow'])

/**
 * Make metrics of rows, with the names of points. The texts of a row are the attributes of its values. Null and what is no finite number have no point.
 */
export function toOtelMetrics({ scope, name }: PointsOf, batch: RowBatch): OtelMetric[] {
  const { columns, types = [] } = batch
  const indexOf = new Map(columns.map((column, index) => [column, index]))
  const own = columns.filter((column) => !ofRow.has(column))
  const isText = (column: string): boolean => types[indexOf.get(column) ?? -1] === 'VARCHAR'
  const rows = batch.rows.map((row) => {
    const at = (column: string): unknown => row[indexOf.get(column) ?? -1]
    const attributes: Record<string, string | number> = { scope }
    for (const column of ['node', 'node_id', 'sliver', ...own.filter(isText)]) {
      const value = at(column)
      if (typeof value === 'string' || typeof value === 'number') attributes[column] = value
    }
    return { at, attributes, timeUs: Number(at('time')) }
  })
  const kindOf = (column: string): FieldKind => (isText(column) ? 'text' : 'number')
  const point = storedPoint(name, Object.fromEntries(own.map((column) => [column, kindOf(column)])))
  return openTelemetryNames(point).flatMap(
    ({ field, name: metric, instrument, unit }): OtelMetric[] => {
      const points = rows.flatMap(({ at, attributes, timeUs }): OtelPoint[] => {
        const value = toNumber(at(field))
        return value === null ? [] : [{ timeUs, attributes, value }]
      })
      return points.length === 0
        ? []
        : [{ name: metric, unit, isCounter: instrument === 'counter', points }]
    },
  )
}

function toNumber(value: unknown): number | null {
  const read = isExactNumber(value) ? decodeNumber(value) : value
  if (typeof read === 'boolean') return read ? 1 : 0
  if (typeof read === 'bigint') return Number(read)
  return typeof read === 'number' && Number.isFinite(read) ? read : null
}
