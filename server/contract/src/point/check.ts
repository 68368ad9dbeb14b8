import {
  checkFieldName,
  droppedMeasurement,
  rejectedMeasurement,
  runEndMeasurement,
} from '../sample-line.ts'
import { maybeBaseUnitAdvice, maybeUnitOf, suffixFor } from '../unit.ts'
import type { PointField, PointKind } from './field.ts'

/** The most points of one run. */
export const maxPoints = 32
/** The most fields of one point. A line has one more at most: `run`. */
export const maxPointFields = 63
/** The most characters of the help of a field. */
export const maxHelpCharacters = 256
/** The most characters of a unit. */
export const maxUnitCharacters = 32
/** The most bytes of the points of one run, as JSON in UTF-8. */
export const maxPointsBytes = 8192

/** The kinds of fields, and the words for each: "must be …". */
export const kindWords: Readonly<Record<PointKind, string>> = {
  seconds: 'a finite number of seconds',
  bytes: 'a whole number of bytes from 0 to 2^53 - 1',
  ratio: 'a finite number, 0.5 for 50 percent',
  count: 'a whole number from 0 to 2^53 - 1',
  integer: 'a whole number between -2^53 and 2^53',
  number: 'a number',
  boolean: 'true or false',
  text: 'text: a word that does not begin like a number, or double quotes',
}

/** The units of those kinds that have one. */
const kindUnits: Readonly<Partial<Record<PointKind, string>>> = {
  seconds: 's',
  bytes: 'bytes',
  ratio: 'ratio',
}

/** How a field of a unit is declared. */
const makers: Readonly<Record<string, string>> = {
  s: `seconds('…')`,
  bytes: `bytes('…')`,
  ratio: `ratio('…')`,
}

/** The measurements of agent and server. */
const agentMeasurements: readonly string[] = [
  rejectedMeasurement,
  droppedMeasurement,
  runEndMeasurement,
  'run_output',
  'run_file',
  'run_file_part',
]

/** A declaration that is to be checked. It may come from anywhere. */
export interface MaybePoint {
  readonly name: unknown
  readonly fields: unknown
}

/** Say why a declaration is no point; null when it is one. Never throws. */
export function checkPoint({ name, fields }: MaybePoint): string | null {
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_]{0,62}$/u.test(name))
    return 'its name must be [a-z][a-z0-9_]*, at most 63 characters'
  if (agentMeasurements.includes(name)) return `the name ${name} is that of a table of the testbed`
  if (!isObject(fields)) return `its fields must be given by name: { rtt_s: seconds('round trip') }`
  const entries = Object.entries(fields)
  if (entries.length === 0) return 'it has no fields'
  if (entries.length > maxPointFields)
    return `it has ${entries.length} fields, and may have ${maxPointFields}`
  for (const [field, declared] of entries) {
    const reason = checkField(field, declared)
    if (reason !== null) return reason
  }
  return null
}

/**
 * Say why points cannot be the points of one run; null when they can: each is one ({@link checkPoint}), no name is there twice, and all together are within the bounds.
 */
export function checkPoints(points: readonly MaybePoint[]): string | null {
  if (points.length > maxPoints) return `${points.length} points are declared, at most ${maxPoints}`
  const names = new Set<unknown>()
  for (const one of points) {
    const reason = checkPoint(one)
    const name = typeof one.name === 'string' ? one.name.slice(0, 64) : typeof one.name
    if (reason !== null) return `point ${name}: ${reason}`
    if (names.has(one.name)) return `point ${name} is declared twice`
    names.add(one.name)
  }
  const size = countPointBytes(points)
  return size <= maxPointsBytes
    ? null
    : `the points have ${size} bytes as JSON, and may have ${maxPointsBytes}: shorten what the fields mean, or declare fewer`
}

/** Count the bytes of points as JSON in UTF-8. */
function countPointBytes(points: readonly MaybePoint[]): number {
  return new TextEncoder().encode(JSON.stringify(points)).length
}

function checkField(field: string, declared: unknown): string | null {
  const problem = checkFieldName(field)
  if (problem !== null) return problem
  if (field === 'run') return 'field name run is that of a column of each table'
  if (!isField(declared))
    return `field ${field} is no declaration such as seconds('round trip'), bool() or text()`
  const { kind, unit, help } = declared
  if (help.length > maxHelpCharacters)
    return `the help of field ${field} has ${help.length} characters, and may have ${maxHelpCharacters}`
  if (unit !== null && (unit.length === 0 || unit.length > maxUnitCharacters))
    return `the unit of field ${field} must have 1 to ${maxUnitCharacters} characters`
  const own = kindUnits[kind] ?? null
  if (kind !== 'number' && unit !== own)
    return `field ${field} is ${kind}, whose unit is ${own ?? 'none'}, not ${unit ?? 'none'}`
  return kind === 'boolean' || kind === 'text' ? null : checkUnit(field, unit)
}

/** Say why the name of a field of numbers does not go with its unit. */
function checkUnit(field: string, unit: string | null): string | null {
  const base = maybeBaseUnitAdvice(field)
  if (base !== null)
    return `the name of field ${field} ends with a unit that is no base unit: measure ${base}`
  const said = maybeUnitOf(field)
  if (said === unit) return null
  const suffix = unit === null ? null : suffixFor(unit)
  if (said === null)
    return suffix === null
      ? null
      : `field ${field} is in ${unit ?? ''}, so its name must end with _${suffix}: ${field.replace(/_total$/u, '')}_${suffix}${field.endsWith('_total') ? '_total' : ''}`
  const declare = makers[said] ?? `number('…', '${said}')`
  return `the name of field ${field} says that it is in ${said}, and it is declared ${unit === null ? 'without a unit' : `in ${unit}`}: declare it as ${declare}, or choose another name`
}

function isField(value: unknown): value is PointField {
  if (!isObject(value)) return false
  const { kind, unit, help, is_optional: isOptional } = value
  return (
    typeof kind === 'string' &&
    Object.hasOwn(kindWords, kind) &&
    (unit === null || typeof unit === 'string') &&
    typeof help === 'string' &&
    typeof isOptional === 'boolean'
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
