import Type, { type Static } from 'typebox'
import { Time } from './common.ts'
import { MeasurementColumn } from './measurement.ts'

/** A day in UTC, such as `2026-05-04`. */
export const HealthDay = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', maxLength: 10 })

/** A Parquet file of one day: a table, sorted by node and time. */
export const HealthTable = Type.Object({
  /** The measurement, such as `node_health`; `node_states` and `sliver_use` are what the server knows. */
  name: Type.String(),
  /** The name of the file beside the manifest. Another version of the table has another name, so a file never changes. */
  file: Type.String(),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  sha256: Type.String(),
  /** All rows that had landed up to here, and belong to the day, are in the file; 0: nothing has a `landed`. */
  landed: Type.Integer(),
  /** What a row is. */
  help: Type.String(),
  columns: Type.Array(MeasurementColumn),
})
export type HealthTable = Static<typeof HealthTable>

/**
 * What was measured of all nodes in one day (UTC), by the server's clock.
 *
 * Format 2: in tables of samples, `time` is the server's time, within `time_error_s` (null: the node's clock is not known, and `time` is the node's); `time_node` is as the node has
 * told it. The rows of `clock`, which say this, have the node's time. Format 1: all times, and the days, are by the clocks of the nodes.
 */
export const HealthManifest = Type.Object(
  {
    /** The version of this format: 1 or 2. */
    format: Type.Integer(),
    name: Type.String(),
    title: Type.String(),
    day: HealthDay,
    /** Rises by one when samples came after the day was published. */
    version: Type.Integer(),
    written_on: Time,
    /** The earlier versions, and why there is a later one. */
    revisions: Type.Array(
      Type.Object({ version: Type.Integer(), written_on: Time, reason: Type.String() }),
    ),
    licence: Type.String(),
    software: Type.String(),
    cite_as: Type.String(),
    /** No clock that is known was off by more than this in the day; samples of those that were off by more than a day are not published. Format 1 does not have it. */
    clock_margin_s: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
    tables: Type.Array(HealthTable),
  },
  { $id: 'HealthManifest' },
)
export type HealthManifest = Static<typeof HealthManifest>

/** A published day. */
export const PublishedDay = Type.Object(
  {
    day: HealthDay,
    version: Type.Integer(),
    written_on: Time,
    rows: Type.Integer(),
    bytes: Type.Integer(),
    manifest: Type.String({ description: 'the path of its manifest' }),
  },
  { $id: 'PublishedDay' },
)
export type PublishedDay = Static<typeof PublishedDay>

/** What the server itself has recorded in a period, such as `node_states`: the columns with DuckDB's types, and the rows. Times are RFC 3339. */
export const RecordedTable = Type.Object(
  {
    name: Type.String(),
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Number(), Type.Null()]))),
  },
  { $id: 'RecordedTable' },
)
export type RecordedTable = Static<typeof RecordedTable>
