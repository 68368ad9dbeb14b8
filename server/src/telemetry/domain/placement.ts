import type { SampleRecord } from '@community-lab/contract'
import {
  formatLine,
  maxLineBytes,
  rejectedMeasurement,
  sliceScope,
} from '@community-lab/contract/samples'
import { checkDeclared } from './declared.ts'
import { isName, nodeScope } from './name.ts'
import { sizeOf, type PlacedSample } from './sample.ts'

/** The most characters that the fields of a sample may have. A line of a sliver's program has half as many at most. */
export const maxSampleCharacters = 2 * maxLineBytes

/** What {@link placeRecord} needs to know. */
export interface PlacementContext {
  readonly nodeId: number
  /** The server's clock, in microseconds since the epoch. It replaces times that are not valid. */
  readonly nowUs: number
  /** Tell whether a slice of this id exists or has ever existed. */
  isSlice(sliceId: number): boolean
}

/** Whose a sample is. */
export interface Owner {
  readonly scope: string
  readonly sliver: string | null
}

/** A record that cannot be read. */
export interface Unreadable {
  readonly seq: number
  /** The reason. */
  readonly fault: string
  /** The beginning of the record, as it was received. */
  readonly text: string
  readonly source: string | null
  readonly timeUs: number | null
}

/** Return the slice of a sliver `<slice>@<node>` of this node; null when the source is no such sliver. */
export function maybeSliceOfSource(source: string, nodeId: number): number | null {
  const match = /^([1-9]\d{0,8})@([1-9]\d{0,8})$/u.exec(source)
  return match !== null && Number(match[2]) === nodeId ? Number(match[1]) : null
}

/**
 * Find the measurement of a node's record. A record with the source of another node, or with a name that is not allowed, becomes a row of `rejected`
 * with the reason, in the narrowest scope that the node may surely write to. Nothing is thrown away.
 */
export function placeRecord(record: SampleRecord, context: PlacementContext): PlacedSample {
  const { seq, source, name, fields } = record
  const owner = findOwner(source, context)
  const timeUs = isTime(record.time_us) ? record.time_us : context.nowUs
  if (owner === null) {
    const reason = `source ${JSON.stringify(source)} is not of node ${context.nodeId}`
    return rejectSample({ seq, timeUs, scope: nodeScope, name, sliver: null, fields }, reason)
  }
  const sample = { seq, timeUs, ...owner, name, fields }
  const reason = findFault(sample, record.time_us)
  return reason === null ? sample : rejectSample(sample, reason)
}

/** Store an unreadable record as a row of `rejected` that contains its beginning. */
export function placeFaulty(
  { seq, fault, text, source, timeUs }: Unreadable,
  context: PlacementContext,
): PlacedSample {
  const owner = findOwner(source ?? nodeScope, context) ?? { scope: nodeScope, sliver: null }
  const time = timeUs !== null && isTime(timeUs) ? timeUs : context.nowUs
  const fields = { line: text, reason: fault, lines: 1 }
  return { seq, timeUs: time, ...owner, name: rejectedMeasurement, fields }
}

/** Return the row of `rejected` for a sample, or for several samples of which this is the last. */
export function rejectSample(sample: PlacedSample, reason: string, lines = 1): PlacedSample {
  const line = formatLine(sample.name, sample.fields).slice(0, maxLineBytes)
  return { ...sample, name: rejectedMeasurement, fields: { line, reason, lines } }
}

function findFault({ scope, name, fields }: PlacedSample, timeUs: number): string | null {
  if (!isName(name)) return `measurement name ${JSON.stringify(name)} is not [a-z][a-z0-9_]*`
  if (!isTime(timeUs)) return `time ${timeUs} is not in microseconds from 1970 to 2255`
  const size = sizeOf(fields)
  if (size > maxSampleCharacters)
    return `its fields have ${size} characters, and a sample has ${maxSampleCharacters} at most`
  return checkDeclared(scope, name, fields)
}

/** Tell whether a number is a time in whole microseconds since the epoch that a double holds exactly, which is up to the year 2255. */
export function isTime(timeUs: number): boolean {
  return Number.isSafeInteger(timeUs) && timeUs >= 0
}

/** Find whose samples of a source are; null when it is not of the node, or of no slice. */
export function findOwner(
  source: string,
  { nodeId, isSlice }: Omit<PlacementContext, 'nowUs'>,
): Owner | null {
  if (source === nodeScope) return { scope: nodeScope, sliver: null }
  const slice = maybeSliceOfSource(source, nodeId)
  return slice !== null && isSlice(slice) ? { scope: sliceScope(slice), sliver: source } : null
}
