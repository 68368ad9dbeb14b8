import {
  formatLine,
  maxLineBytes,
  rejectedMeasurement,
  sliceScope,
  type SampleRecord,
} from '@community-lab/contract'
import { checkDeclared } from './declared.ts'
import { isName, nodeScope } from './name.ts'
import { sizeOf, type PlacedSample } from './sample.ts'

/** The most characters that a sample's fields may have. A line of a sliver's program has half as many at most. */
const maxSampleCharacters = 2 * maxLineBytes

/** What is known where records are placed. */
export interface PlacementContext {
  readonly nodeId: number
  /** The server's clock, in microseconds since the epoch: used where a time is not valid. */
  readonly nowUs: number
  /** Whether there is, or ever was, a slice of this id. */
  isSlice(sliceId: number): boolean
}

/** A record that cannot be read. */
export interface Unreadable {
  readonly seq: number
  /** Why. */
  readonly fault: string
  /** Its beginning, as it came. */
  readonly text: string
  readonly source: string | null
  readonly timeUs: number | null
}

/** The slice of a sliver `<slice>@<node>` of this node; null when it is none. */
export function maybeSliceOfSource(source: string, nodeId: number): number | null {
  const match = /^([1-9]\d{0,8})@([1-9]\d{0,8})$/u.exec(source)
  return match !== null && Number(match[2]) === nodeId ? Number(match[1]) : null
}

/**
 * Find the measurement that a node's record belongs to. A record whose source is not the node's own, or whose name is not allowed, becomes a row of `rejected`
 * with the reason, in the narrowest scope that the node may certainly write to. Nothing is thrown away.
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

/** Place what came instead of a record: as a row of `rejected` that holds its beginning. */
export function placeFaulty(
  { seq, fault, text, source, timeUs }: Unreadable,
  context: PlacementContext,
): PlacedSample {
  const owner = findOwner(source ?? nodeScope, context) ?? { scope: nodeScope, sliver: null }
  const time = timeUs !== null && isTime(timeUs) ? timeUs : context.nowUs
  const fields = { line: text, reason: fault, lines: 1 }
  return { seq, timeUs: time, ...owner, name: rejectedMeasurement, fields }
}

/** The row of `rejected` that stands for a sample, or for so many of which it is the last. */
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

/** Whole microseconds since the epoch that a number holds exactly: up to the year 2255. */
function isTime(timeUs: number): boolean {
  return Number.isSafeInteger(timeUs) && timeUs >= 0
}

function findOwner(
  source: string,
  { nodeId, isSlice }: PlacementContext,
): { readonly scope: string; readonly sliver: string | null } | null {
  if (source === nodeScope) return { scope: nodeScope, sliver: null }
  const slice = maybeSliceOfSource(source, nodeId)
  return slice !== null && isSlice(slice) ? { scope: sliceScope(slice), sliver: source } : null
}
