import { LabError } from '../error/lab-error.ts'
import { checkPoint } from './check.ts'
import type { PointField } from './field.ts'

/** The fields of a point by name. */
export type PointFields = Readonly<Record<string, PointField>>

/** A measurement that is declared: its name, and the kind, unit and meaning of each of its fields. Plain data, which can be sent as JSON. */
export interface Point<Name extends string = string, Fields extends PointFields = PointFields> {
  readonly name: Name
  readonly fields: Fields
}

/** The columns that a row of every measurement has, besides those of its fields. */
export interface PointRow {
  /** When the node received the line. In live rows by its own clock; in queries and exports by the server's, corrected. */
  readonly time: Date
  readonly node: string
  readonly node_id: number
  readonly sliver: string
  readonly run: string
  /** The order in which rows arrived at the server. */
  readonly landed: number
}

/** The JavaScript type of a field's values in rows. */
export type ValueOf<F extends PointField> =
  | (F['kind'] extends 'boolean' ? boolean : F['kind'] extends 'text' ? string : number)
  | (F['is_optional'] extends false ? never : null)

/** The rows of a point: `RowOf<typeof rtt>`. */
export type RowOf<P extends Point> = PointRow & {
  readonly [Field in keyof P['fields']]: ValueOf<P['fields'][Field]>
}

/**
 * Declare a measurement once, for the programs, the store and the cells:
 *
 *     const rtt = point('rtt', { rtt_s: optional(seconds('round trip')), lost: bool(), peer: text() })
 *
 * A run that has it in `points` keeps its lines to it: a line `rtt` that does not fit goes to `rejected`, with the reason. Its table is there before the first line.
 *
 * @throws {@link LabError} LAB_POINT_INVALID, for example when a field is in seconds and its name does not say so.
 */
export function point<Name extends string, Fields extends PointFields>(
  name: Name,
  fields: Fields,
): Point<Name, Fields> {
  const declared = { name, fields }
  const reason = checkPoint(declared)
  if (reason !== null) throw new LabError('LAB_POINT_INVALID', { point: name, reason })
  return declared
}
