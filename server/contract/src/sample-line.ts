import type { FieldValue } from './stream.ts'

/**
 * The line that any program in a sliver writes to {@link measurePath}, one per sample:
 *
 *     <measurement> <field>=<value> [<field>=<value> …]
 *
 * for example `rtt rtt_s=0.012 peer="n3"`. Measurement and field names are `[a-z][a-z0-9_]*`, at most 63 characters; put the unit at the end of
 * a field's name, in base units (`_s`, `_bytes`). A value is a JSON number, `true`, `false`, a JSON string in double quotes, or a bare word without
 * blanks, which is text. A line has at most {@link maxLineBytes} bytes and {@link maxFields} fields. The agent stamps the time.
 * A line that is not of this form is kept as a row of `{@link rejectedMeasurement}` with the reason: nothing is thrown away.
 */
export const measurePath = '/run/community-lab/measure'
/** The longest line, in bytes, its newline included. Source: PIPE_BUF on Linux; longer writes could interleave. */
export const maxLineBytes = 4096
/** The most fields in a line. */
export const maxFields = 64
/** Where lines go that could not be read: columns `line`, `reason`. */
export const rejectedMeasurement = 'rejected'
/** Where counts of lines go that a full buffer had to drop: column `lines`. */
export const droppedMeasurement = 'dropped'
/** Columns every table has; a field may not take their names. */
export const reservedColumns: readonly string[] = [
  'time',
  'node',
  'sliver',
  'seq',
  'spool',
  'landed',
  'overflow',
]

/** A line, read. */
export type ParsedLine =
  | {
      readonly ok: true
      readonly name: string
      readonly fields: Readonly<Record<string, FieldValue>>
    }
  | { readonly ok: false; readonly reason: string }

const nameRegExp = /^[a-z][a-z0-9_]{0,62}$/u
const tokenRegExp = /\s*([^\s=]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?(?=\s|$)/uy

/** Read one line, without its newline. Never throws. */
export function parseLine(line: string): ParsedLine {
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
  const parts = Object.entries(fields).map(([field, value]) => `${field}=${JSON.stringify(value)}`)
  return [name, ...parts].join(' ')
}

function addField(
  fields: Record<string, FieldValue>,
  field: string,
  raw: string | undefined,
): string | null {
  if (raw === undefined || raw === '')
    return `field ${JSON.stringify(field.slice(0, 64))} has no value`
  if (!nameRegExp.test(field))
    return `field name ${JSON.stringify(field.slice(0, 64))} is not [a-z][a-z0-9_]*`
  if (reservedColumns.includes(field)) return `field name ${field} is reserved`
  if (Object.hasOwn(fields, field)) return `field ${field} is given twice`
  const value = parseValue(raw)
  if (value === null) return `field ${field}: ${JSON.stringify(raw.slice(0, 40))} is no value`
  fields[field] = value
  return null
}

function parseValue(raw: string): FieldValue | null {
  if (raw === 'true' || raw === 'false') return raw === 'true'
  if (/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/u.test(raw)) {
    const value = Number(raw)
    return Number.isFinite(value) ? value : null
  }
  if (!raw.startsWith('"')) return raw
  try {
    const value: unknown = JSON.parse(raw)
    return typeof value === 'string' ? value : null
  } catch {
    // Not a JSON string: the caller says so, with the text.
    return null
  }
}
