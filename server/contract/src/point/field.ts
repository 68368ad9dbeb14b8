/**
 * What a field of a point holds. `seconds`, `ratio`: finite numbers. `bytes`, `count`: whole numbers from 0 to 2^53 − 1. `integer`: whole numbers of that size, also
 * negative. `number`: any number, also NaN and the infinities.
 */
export type PointKind =
  'seconds' | 'bytes' | 'ratio' | 'count' | 'integer' | 'number' | 'boolean' | 'text'

/** A field of a point, as plain data. */
export interface PointField<K extends PointKind = PointKind, Optional extends boolean = boolean> {
  readonly kind: K
  /** The unit of its numbers; null: they have none, or it is no number. */
  readonly unit: string | null
  /** What it means, for people. */
  readonly help: string
  /** Whether a line may leave it out. Its row then has null. */
  readonly is_optional: Optional
}

/** A duration or a time since some moment, in seconds. The field's name ends with `_s` or `_seconds`. It may be negative. */
export function seconds(help = ''): PointField<'seconds', false> {
  return { kind: 'seconds', unit: 's', help, is_optional: false }
}

/** An amount of data, in whole bytes from 0 on. The field's name ends with `_bytes`, or `_bytes_total` for a counter. */
export function bytes(help = ''): PointField<'bytes', false> {
  return { kind: 'bytes', unit: 'bytes', help, is_optional: false }
}

/** A ratio of two equal units: 0.5 for 50 percent. The field's name ends with `_ratio`. */
export function ratio(help = ''): PointField<'ratio', false> {
  return { kind: 'ratio', unit: 'ratio', help, is_optional: false }
}

/** How many: a whole number from 0 on. The name of a counter that only grows ends with `_total`. */
export function count(help = ''): PointField<'count', false> {
  return { kind: 'count', unit: null, help, is_optional: false }
}

/** A whole number, exact from −(2^53 − 1) to 2^53 − 1. */
export function integer(help = ''): PointField<'integer', false> {
  return { kind: 'integer', unit: null, help, is_optional: false }
}

/** Any number. `unit` is for example `'dBm'`, and then the field's name ends with `_dbm`; see {@link checkPoint}. */
export function number(help = '', unit: string | null = null): PointField<'number', false> {
  return { kind: 'number', unit, help, is_optional: false }
}

/** `true` or `false`. */
export function bool(help = ''): PointField<'boolean', false> {
  return { kind: 'boolean', unit: null, help, is_optional: false }
}

/** A text. A word that begins like a number needs double quotes in a line. */
export function text(help = ''): PointField<'text', false> {
  return { kind: 'text', unit: null, help, is_optional: false }
}

/** A field that a line may leave out, as the round-trip time of a lost probe. */
export function optional<K extends PointKind>(field: PointField<K>): PointField<K, true> {
  return { ...field, is_optional: true }
}
