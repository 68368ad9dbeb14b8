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
 * A measurement as the server stores it: a wide table with one row for each sample. Every table begins with `time` (when the agent received the sample,
 * microseconds), `node` (its name at that time), `node_id`, `sliver` (null for the node's own samples), `seq` (increases by one for each sample of a node and
 * spool), `spool`, `landed` (order of arrival at the server) and `overflow` (JSON of values that have no column). `scope` is `node` for samples of nodes,
 * `slice-<id>` for those of a slice's programs.
 */
export const Measurement = Type.Object(
  {
    scope: Type.String(),
    name: Type.String(),
    columns: Type.Array(MeasurementColumn),
    rows: Type.Integer(),
    first_time: nullable(Time),
    last_time: nullable(Time),
    /** What was removed because the scope keeps no more: the number of rows, and the latest of their times. Not there when nothing was. */
    removed: Type.Optional(Type.Object({ rows: Type.Integer(), last_time: nullable(Time) })),
    /** Files of the store that cannot be read, and the number of rows in them. Not there when all can. */
    unreadable: Type.Optional(
      Type.Object({ rows: Type.Integer(), files: Type.Array(Type.String()) }),
    ),
  },
  { $id: 'Measurement' },
)
export type Measurement = Static<typeof Measurement>

/**
 * Rows as they land: column names and types (DuckDB's; older servers do not send types), then values in the same order. Times are microseconds since the epoch.
 * Numbers that JSON cannot represent exactly are {@link ExactNumber}. `landed` is that of the last row; the id of the event is
 * the cursor after it, see `row-cursor.ts`.
 */
export const RowBatch = Type.Object({
  columns: Type.Array(Type.String()),
  types: Type.Optional(Type.Array(Type.String())),
  rows: Type.Array(Type.Array(Type.Unknown())),
  landed: Type.Integer(),
})
export type RowBatch = Static<typeof RowBatch>
