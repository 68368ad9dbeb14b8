import type { FieldValue } from './field-value.ts'

/** Parses plain lines: those with the fields of an earlier line, and values that need no second look. Most lines of programs are such. */
export interface PlainLines {
  /** Parse a line; null when it is not plain: it must be parsed by all of the rules, and may be valid or not. */
  parse(line: string): PlainLine | null
  /** Remember the fields of a valid line. */
  note(name: string, fields: Readonly<Record<string, FieldValue>>): void
}

/** A plain line is valid. */
export interface PlainLine {
  readonly ok: true
  readonly name: string
  readonly fields: Record<string, FieldValue>
}

interface Layout {
  readonly name: string
  readonly fields: readonly string[]
}

/** The most measurements whose fields are remembered, and the most characters of these. */
const mostLayouts = 256
const mostCharacters = 64 * 1024
/** A decimal number of so many characters is finite, and an integer of so many digits is exact. */
const [longestNumber, longestInteger] = [40, 15]
const [blank, quote, minus, point, digit0, digit9, upperA, lowerA, lowerZ, backslash, del] = [
  0x20, 0x22, 0x2d, 0x2e, 0x30, 0x39, 0x41, 0x61, 0x7a, 0x5c, 0x7f,
]

/**
 * Make a parser that knows no fields yet. The fields of a plain line are those of the line before of its measurement, in the same order, so their names are valid and
 * different; it may have fewer. It has printable ASCII alone, and one blank before each field. Its values are short decimal numbers without an exponent, `true`, `false`, words that
 * begin with a letter and cannot be NaN or an infinity, and strings without a backslash.
 */
export function createPlainLines(): PlainLines {
  const layouts = new Map<string, Layout>()
  let characters = 0
  return {
    note(name, fields) {
      const keys = Object.keys(fields)
      const more = keys.reduce((sum, field) => sum + field.length, name.length)
      if (layouts.size >= mostLayouts || characters + more > mostCharacters) {
        layouts.clear()
        characters = 0
      }
      // A key is a text of its own. A part of a long text would keep all of it in memory.
      const [own = name] = Object.keys({ [name]: null })
      layouts.set(own, { name: own, fields: keys })
      characters += more
    },
    parse(line) {
      const nameEnd = line.indexOf(' ')
      if (nameEnd < 1) return null
      const layout = layouts.get(line.slice(0, nameEnd))
      return layout === undefined ? null : parseFields(line, layout)
    },
  }
}

const notFinite = /^(?:nan|inf|infinity)$/iu

function parseFields(line: string, layout: Layout): PlainLine | null {
  const fields: Record<string, FieldValue> = {}
  const { name } = layout
  let at = name.length
  for (const field of layout.fields) {
    const valueAt = at + field.length + 2
    if (!line.startsWith(field, at + 1) || line.charCodeAt(valueAt - 1) !== 0x3d) return null
    const end = endOfValue(line, valueAt)
    if (end <= valueAt) return null
    const value = readValue(line, valueAt, end)
    // The name of a run is text, also when it looks like something else.
    if (value === undefined || (field === 'run' && typeof value !== 'string')) return null
    fields[field] = value
    at = end
    if (at === line.length) return { ok: true, name, fields }
    if (line.charCodeAt(at) !== blank) return null
  }
  return null
}

/** Return the end of a value; -1 when it has characters that are not plain. */
function endOfValue(line: string, from: number): number {
  let at = from
  if (line.charCodeAt(from) === quote) {
    for (at++; at < line.length; at++) {
      const code = line.charCodeAt(at)
      if (code === quote) return at + 1
      if (code < blank || code >= del || code === backslash) return -1
    }
    return -1
  }
  for (; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === blank) return at
    if (code < blank || code >= del || code === quote) return -1
  }
  return at
}

/** Read a value; undefined when it is not plain. */
function readValue(line: string, from: number, end: number): FieldValue | undefined {
  const first = line.charCodeAt(from)
  if (first === quote) return line.slice(from + 1, end - 1)
  if (first === minus || isDigit(first)) return readDecimal(line, from, end)
  const isLetter = (first | 0x20) >= lowerA && (first | 0x20) <= lowerZ && first >= upperA
  if (!isLetter) return undefined
  const word = line.slice(from, end)
  if (word === 'true') return true
  if (word === 'false') return false
  const mayBeNumber = word.length === 3 || word.length === 8
  return mayBeNumber && notFinite.test(word) ? undefined : word
}

function readDecimal(line: string, from: number, end: number): number | undefined {
  const digitsAt = line.charCodeAt(from) === minus ? from + 1 : from
  const length = end - digitsAt
  if (length > longestNumber || !isDigit(line.charCodeAt(digitsAt))) return undefined
  let points = 0
  for (let at = digitsAt; at < end; at++) {
    const code = line.charCodeAt(at)
    if (code === point) points++
    else if (!isDigit(code)) return undefined
  }
  if (points > 1 || (points === 0 && length > longestInteger)) return undefined
  return isDigit(line.charCodeAt(end - 1)) ? Number(line.slice(from, end)) : undefined
}

function isDigit(code: number): boolean {
  return code >= digit0 && code <= digit9
}
