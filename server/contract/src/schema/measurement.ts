import Type, { type Static } from 'typebox'
import { nullable, Time } from './common.ts'

/** A column of a measurement's table. `type` is DuckDB's. */
export const MeasurementColumn = Type.Object({
  name: Type.String(),
  type: Type.String(),
  unit: nullable(Type.String()),
})
export type MeasurementColumn = Static<typeof MeasurementColumn>

/**
 * A measurement as the server stores it: a wide table, one row per sample.
 * Every table begins with `time` (when the agent saw it, microseconds), `node` (its name at that time), `node_id`, `sliver` (null for the node's own),
 * `seq` (rises by one per node and spool), `spool`, `landed` (order of arrival at the server) and `overflow` (JSON of what has no column).
 * `scope` is `node` for the nodes' own, `slice-<id>` for what a slice's programs wrote.
 */
export const Measurement = Type.Object(
  {
    scope: Type.String(),
    name: Type.String(),
    columns: Type.Array(MeasurementColumn),
    rows: Type.Integer(),
    first_time: nullable(Time),
    last_time: nullable(Time),
  },
  { $id: 'Measurement' },
)
export type Measurement = Static<typeof Measurement>

/**
 * Rows as they land: column names and their types (DuckDB's; older servers do not tell) once, then values in the same order; times as microseconds since
 * the epoch, and numbers that JSON has no exact form for as {@link ExactNumber}. `landed` is the last row's.
 */
export const RowBatch = Type.Object({
  columns: Type.Array(Type.String()),
  types: Type.Optional(Type.Array(Type.String())),
  rows: Type.Array(Type.Array(Type.Unknown())),
  landed: Type.Integer(),
})
export type RowBatch = Static<typeof RowBatch>

/** The `scope` of a slice's measurements. */
export function sliceScope(sliceId: number): string {
  return `slice-${sliceId}`
}
