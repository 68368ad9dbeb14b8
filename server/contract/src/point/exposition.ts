import type { PointField } from './field.ts'
import type { Point } from './point.ts'

/** A number of a point, as Prometheus names it. */
export interface PrometheusName {
  readonly field: string
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
}

/** A number of a point, as OpenTelemetry names it. */
export interface OpenTelemetryName {
  readonly field: string
  readonly name: string
  readonly instrument: 'counter' | 'gauge'
  /** A unit of UCUM, or an annotation in braces. */
  readonly unit: string
  readonly description: string
}

/**
 * Suffixes of Prometheus' base units. Source: Prometheus, "Metric and label naming", https://prometheus.io/docs/practices/naming/: base units in the plural, `_total`
 * last. Units of radio links are not there; their names are written out in the same way.
 */
const prometheusUnits: Readonly<Record<string, string>> = {
  s: 'seconds',
  bytes: 'bytes',
  'bit/s': 'bits_per_second',
  Hz: 'hertz',
  '°C': 'celsius',
  ratio: 'ratio',
  '%': 'percent',
  m: 'meters',
  dBm: 'dbm',
  dB: 'decibels',
  V: 'volts',
  A: 'amperes',
  W: 'watts',
}

/** UCUM codes. Source: OpenTelemetry, semantic conventions, "Metrics: Instrument Units", and the UCUM specification (case sensitive codes). */
const ucumUnits: Readonly<Record<string, string>> = {
  s: 's',
  bytes: 'By',
  'bit/s': 'bit/s',
  Hz: 'Hz',
  '°C': 'Cel',
  ratio: '1',
  '%': '%',
  m: 'm',
  dBm: 'dB[mW]',
  dB: 'dB',
  V: 'V',
  A: 'A',
  W: 'W',
}

/** The names of a point's numbers and booleans (0 or 1) for Prometheus: `community_lab_<point>_<field>`. Its texts are {@link labelsOf}. */
export function prometheusNames({ name, fields }: Point): readonly PrometheusName[] {
  return numbersOf(fields).map(([field, declared]) => {
    const { base, isCounter } = partsOf(field, declared)
    const unit = declared.unit === null ? undefined : prometheusUnits[declared.unit]
    const parts = ['community_lab', name, base, unit, isCounter ? 'total' : undefined]
    return {
      field,
      name: parts.filter((part) => part !== undefined && part !== '').join('_'),
      type: isCounter ? 'counter' : 'gauge',
      help: declared.help,
    }
  })
}

/**
 * The names of a point's numbers and booleans for OpenTelemetry: `community_lab.<point>.<field>`, without unit and `_total`, which are not part of names there.
 * Source: OpenTelemetry, semantic conventions, "Metrics: General guidelines", https://opentelemetry.io/docs/specs/semconv/general/metrics/.
 */
export function openTelemetryNames({ name, fields }: Point): readonly OpenTelemetryName[] {
  return numbersOf(fields).map(([field, declared]) => {
    const { base, isCounter } = partsOf(field, declared)
    return {
      field,
      name: ['community_lab', name, base].filter((part) => part !== '').join('.'),
      instrument: isCounter ? 'counter' : 'gauge',
      unit: unitOf(declared),
      description: declared.help,
    }
  })
}

/** The texts of a point. They are labels of Prometheus, and attributes of OpenTelemetry. */
export function labelsOf({ fields }: Point): readonly string[] {
  return Object.keys(fields).filter((field) => fields[field]?.kind === 'text')
}

function numbersOf(fields: Point['fields']): readonly (readonly [string, PointField])[] {
  return Object.entries(fields).filter(([, { kind }]) => kind !== 'text')
}

/** Split a field's name: what it names without its unit, and whether it is a counter. A point `up` with a field `up` has no name twice. */
function partsOf(
  field: string,
  { unit }: PointField,
): { readonly base: string; readonly isCounter: boolean } {
  const isCounter = field.endsWith('_total')
  const name = isCounter ? field.slice(0, -'_total'.length) : field
  const isNamed = unit !== null && Object.hasOwn(prometheusUnits, unit)
  return { base: isNamed ? name.slice(0, Math.max(0, name.lastIndexOf('_'))) : name, isCounter }
}

function unitOf({ kind, unit }: PointField): string {
  if (unit === null) return kind === 'count' ? '{count}' : '1'
  return ucumUnits[unit] ?? `{${unit.replaceAll(/[^!-z|~]/gu, '_')}}`
}
