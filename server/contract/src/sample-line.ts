import type { FieldKind } from './field-number.ts'
import type { FieldValue } from './field-value.ts'
import { readNumber } from './number-text.ts'
import { createPlainLines } from './plain-line.ts'

/**
 * The line that any program in a sliver writes to {@link measurePath}, one for each sample:
 *
 *     <measurement> <field>=<value> [<field>=<value> …]
 *
 * for example `rtt rtt_s=0.012 peer=n3`. Names of measurements and fields are `[a-z][a-z0-9_]*`, at most 63 characters. Put the unit at the end of a field's
 * name, in base units (`_s`, `_bytes`). A value is a number in the format of shells ({@link readNumber}), `true`, `false`, a JSON string in double quotes, or a
 * bare word, which is text. A word that begins like a number but is not one, such as `12ms`, is refused. A line has at most {@link maxLineBytes} bytes and
 * {@link maxFields} fields. The agent adds the time. A line that cannot be read is reported in `{@link rejectedMeasurement}` with the reason.
 * An empty line is no line. The measurement `run_output` is that of the agent.
 */
export const measurePath = '/run/community-lab/measure'
/** The longest line, in bytes, including its newline. Source: PIPE_BUF on Linux; longer writes could interleave. */
export const maxLineBytes = 4096
/** The most fields in a line. */
export const maxFields = 64
/** The measurement of refused lines: `line` is one of them, `reason` says why, `lines` is their number. If `line` names a run, all of them are of this run. */
export const rejectedMeasurement = 'rejected'
/** The measurement of lines that were lost because a buffer was full: `lines` is their number. */
export const droppedMeasurement = 'dropped'
/** The measurement of the end of a run's program on a sliver. The row is the agent's: it follows all that programs of the sliver had written by then, and no program can write one. */
export const runEndMeasurement = 'run_end'
/** The measurement of the output of runs. A row has a part of it: see `OutputRow`. */
export const runOutputMeasurement = 'run_output'
/**
 * The measurement of the files that runs have made. A row tells of one, after the rows of its content: `file` is its number within the run on the sliver, from 0 on; `path` its path in the
 * folder of the program, or the pattern that no file fits; `bytes`; `sha256`, or `problem` where it was not kept.
 */
export const runFileMeasurement = 'run_file'
/** The measurement of the contents of these files. A row has a part of one, like those of output; its field `run` is `filePartsOf`. */
export const runFilePartMeasurement = 'run_file_part'
/** Columns of every table. A field cannot have their names. */
export const reservedColumns: readonly string[] = [
  'time',
  'node',
  'node_id',
  'sliver',
  'seq',
  'spool',
  'landed',
  'overflow',
  // The library adds these when it corrects times by what is known of the nodes' clocks.
  'time_error_s',
  'time_node',
  'clock_offset_s',
  'clock_error_s',
  'clock_step',
]

/** Source: RunId. */
const runField =
  /(?:^|\s)run="?([A-Za-z0-9][A-Za-z0-9._-]{0,63}-\d{8}T\d{6}Z-[0-9a-f]{12})(?:"|(?=\s)|$)/u

/** Return the id of the run that a line names, also when the line is no valid sample; null: it names none. */
export function runOfLine(line: string): string | null {
  return runField.exec(line)?.[1] ?? null
}

/** Return a line without the run that it names. */
export function withoutRun(line: string): string {
  return line.replace(runField, '')
}

/** The suffix of a column for values of a field that do not have the type of its first column. */
export const kindSuffixes: Readonly<Record<FieldKind, string>> = {
  number: '_as_number',
  integer: '_as_integer',
  text: '_as_text',
  boolean: '_as_boolean',
}

/** The result of parsing a line. */
export type ParsedLine =
  | {
      readonly ok: true
      readonly name: string
      /** They are the caller's. */
      readonly fields: Record<string, FieldValue>
    }
  | { readonly ok: false; readonly reason: string }

const nameRegExp = /^[a-z][a-z0-9_]{0,62}$/u
const tokenRegExp = /\s*([^\s=]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?(?=\s|$)/uy

const plainLines = createPlainLines()

/** Parse a line without its newline. Never throws. */
export function parseLine(line: string): ParsedLine {
  const plain = plainLines.parse(line)
  if (plain !== null) return plain
  const parsed = parseAnyLine(line)
  if (parsed.ok) plainLines.note(parsed.name, parsed.fields)
  return parsed
}

/** Parse a line by all of the rules. {@link parseLine} gives the same, in less time for lines like those before. */
export function parseAnyLine(line: string): ParsedLine {
  const text = line.trim()
  const end = text.search(/\s/u)
  const name = end < 0 ? text : text.slice(0, end)
  if (!nameRegExp.test(name))
    return {
      ok: false,
      reason: `measurement name ${JSON.stringify(name.slice(0, 64))} is not [a-z][a-z0-9_]*`,
    }
  const fields: Record<string, FieldValue> = {}
  let count = 0
  tokenRegExp.lastIndex = name.length
  while (tokenRegExp.lastIndex < text.length) {
    const at = tokenRegExp.lastIndex
    const match = tokenRegExp.exec(text)
    if (match === null)
      return { ok: false, reason: `cannot read ${JSON.stringify(text.slice(at, at + 40).trim())}` }
    const problem = addField(fields, match[1] ?? '', match[2])
    if (problem !== null) return { ok: false, reason: problem }
    if (++count > maxFields) return { ok: false, reason: `more than ${maxFields} fields` }
  }
  if (count === 0) return { ok: false, reason: 'no field=value' }
  return { ok: true, name, fields }
}

/** Write a line, without its newline. The fields' names must be valid; see {@link parseLine}. */
export function formatLine(name: string, fields: Readonly<Record<string, FieldValue>>): string {
  const parts = Object.entries(fields).map(([field, value]) => `${field}=${formatValue(value)}`)
  return [name, ...parts].join(' ')
}

/** Say why a text cannot be the name of a field; null when it can. */
export function checkFieldName(field: string): string | null {
  if (!nameRegExp.test(field))
    return `field name ${JSON.stringify(field.slice(0, 64))} is not [a-z][a-z0-9_]*`
  if (reservedColumns.includes(field)) return `field name ${field} is reserved`
  const suffix = Object.values(kindSuffixes).find((each) => field.endsWith(each))
  return suffix === undefined ? null : `field name ${field} is reserved, for it ends with ${suffix}`
}

function formatValue(value: FieldValue): string {
  if (typeof value === 'object') return value.number
  return JSON.stringify(value)
}

function addField(
  fields: Record<string, FieldValue>,
  field: string,
  raw: string | undefined,
): string | null {
  if (raw === undefined || raw === '')
    return `field ${JSON.stringify(field.slice(0, 64))} has no value`
  const problem = checkFieldName(field)
  if (problem !== null) return problem
  if (Object.hasOwn(fields, field)) return `field ${field} is given twice`
  // The name of a run is text, also when it begins like a number.
  const isRunWord = field === 'run' && !raw.startsWith('"')
  const read = isRunWord ? { value: raw } : readValue(raw)
  if ('reason' in read) return `field ${field}: ${read.reason}`
  fields[field] = read.value
  return null
}

function readValue(raw: string): { readonly value: FieldValue } | { readonly reason: string } {
  if (raw === 'true' || raw === 'false') return { value: raw === 'true' }
  if (raw.startsWith('"')) return readString(raw)
  const number = readNumber(raw)
  if (number.is === 'refused') return number
  return { value: number.is === 'number' ? number.value : raw }
}

function readString(raw: string): { readonly value: string } | { readonly reason: string } {
  try {
    const value: unknown = JSON.parse(raw)
    // A text with a lone surrogate could not be stored as UTF-8 unchanged.
    if (typeof value === 'string' && value.isWellFormed()) return { value }
  } catch {
    // The reason contains the text.
  }
  return { reason: `${JSON.stringify(raw.slice(0, 40))} is no JSON string` }
}
