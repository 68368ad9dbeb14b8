import { LabError } from '@community-lab/contract'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { bindValue, type BoundValue } from './value.ts'

/** A query in DuckDB's form. */
export interface Query {
  readonly sql: string
  /**
   * The values of the parameters `$1`, `$2`, …. A value that occurs twice is one parameter, so that DuckDB takes expressions with the same text for the same
   * expression.
   */
  readonly values: DuckDBValue[]
  readonly types: DuckDBType[]
}

/**
 * Build a query from a tagged template. Each value becomes a parameter, never part of the text.
 *
 * @throws {@link LabError} LAB_SQL_INVALID for a value where SQL allows none; it says what to write. LAB_ARGUMENT_INVALID for a value of the wrong type.
 */
export function buildQuery(strings: unknown, given: readonly unknown[]): Query {
  const texts = textsOf(strings)
  texts.forEach(refuseParameters)
  texts.forEach(refuseUnreadable)
  if (given.length === 0 && isEmpty(texts[0] ?? ''))
    throw invalid('it is empty; write select … from …, or from …')
  const parameters = new Map<string, BoundValue & { readonly number: number }>()
  const sql = texts.reduce((before, after, index) => {
    const value = given[index - 1]
    const bound = bindValue(value, index)
    const key = keyOf(value)
    const parameter = parameters.get(key) ?? { ...bound, number: parameters.size + 1 }
    parameters.set(key, parameter)
    const place = { before, after, position: index, parameter: `$${parameter.number}` }
    return `${before}${placeValue(value, place)}${after}`
  })
  const bound = [...parameters.values()]
  return { sql, values: bound.map(({ value }) => value), types: bound.map(({ type }) => type) }
}

/** Return the same key for two values that DuckDB takes for the same. */
function keyOf(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify(value.map(keyOf))
  if (value instanceof Date) return `Date ${value.getTime()}`
  return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`
}

/** Tell whether a query contains only comments. */
function isEmpty(text: string): boolean {
  const code = text.replace(quoted, (found) => (/^(?:--|\/\*)/u.test(found) ? '' : found))
  return /^[\s;]*$/u.test(code)
}

/** Return the texts of a tagged template. A call `sql(…)` has none: only a tagged template passes a list that has `raw`. */
function textsOf(strings: unknown): readonly string[] {
  if (isTemplate(strings)) return strings
  throw invalid('sql was called as a function; write sql`select …`, without parentheses')
}

function isTemplate(strings: unknown): strings is TemplateStringsArray {
  return Array.isArray(strings) && Array.isArray(Reflect.get(strings, 'raw'))
}

interface Surroundings {
  /** The SQL before the value. */
  readonly before: string
  readonly after: string
  /** The position of the value, from 1. */
  readonly position: number
  /** The name of the parameter, such as `$1`. */
  readonly parameter: string
}

/** Return the SQL that replaces a value. */
function placeValue(value: unknown, place: Surroundings): string {
  const { after, position, parameter } = place
  refuseQuoted(place.before, position)
  const before = place.before.replace(quoted, ' ')
  refuseName(value, { before, position })
  if (/\binterval\s*$/iu.test(before)) {
    if (typeof value === 'number') refuseInterval(value, { after, position })
    return `(${parameter})`
  }
  const isListOfIn = /\bin\s*\(\s*$/iu.test(before) && /^\s*\)/u.test(after)
  return Array.isArray(value) && isListOfIn ? `select unnest(${parameter})` : parameter
}

function refuseQuoted(before: string, position: number): void {
  const value = `value ${position}`
  switch (placeAtEnd(before)) {
    case 'code':
      return
    case 'text':
      throw invalid(
        `${value} stands inside quotes, where it would be text of the query; leave the quotes out: ` +
          "peer = ${name}, peer like ${name + '%'}, interval ${5} minutes",
      )
    case 'name':
      throw invalid(
        `${value} stands inside a quoted name, and a name cannot be a value; write the name itself, or columns(\${name}) for a column`,
      )
    case 'comment':
      throw invalid(`${value} stands in a comment; take it out`)
  }
}

/** Refuse a value in place of the name of a table or column. A parameter there fails, or orders by nothing. */
function refuseName(
  value: unknown,
  { before, position }: Pick<Surroundings, 'before' | 'position'>,
): void {
  const by = /\b(order|group|partition)\s+by\s*$/iu.exec(before)?.[1]
  if (by !== undefined)
    throw invalid(
      `value ${position} stands after ${by.toLowerCase()} by, and a column's name cannot be a value; write the name itself, as in ${by.toLowerCase()} by time`,
    )
  if (typeof value !== 'string') return
  const word = /\b(from|join|into|update|table|describe|summarize)\s*$/iu.exec(before)?.[1]
  // After `extract(year from …)` and `is distinct from …`, values are allowed.
  const isOperand = /\b(?:extract|substring|trim|overlay)\s*\([^()]*$|\bdistinct\s+from\s*$/iu
  if (word === undefined || isOperand.test(before)) return
  throw invalid(
    `value ${position} (${JSON.stringify(value)}) stands where a table's name is, and a name cannot be a value; ` +
      `write ${word.toLowerCase()} ${/^[a-z_]\w*$/u.test(value) ? value : '…'}, or from query_table(\${name})`,
  )
}

/** Refuse a fraction of a unit that DuckDB would cut off. DuckDB keeps fractions of seconds and of smaller units. */
function refuseInterval(
  value: number,
  { after, position }: Pick<Surroundings, 'after' | 'position'>,
): void {
  const unit = /^\s*([a-z]+)/iu.exec(after)?.[1]?.toLowerCase() ?? ''
  if (
    !/^(?:micro|milli)?seconds?$|^(?:minute|hour|day|week|month|quarter|year|decade)s?$/u.test(unit)
  )
    throw invalid(
      `value ${position} is an interval without a unit; write interval \${${value}} seconds`,
    )
  if (!Number.isInteger(value) && !unit.includes('second'))
    throw invalid(
      `value ${position} is an interval of ${value} ${unit}, of which DuckDB takes whole ones only; write it in seconds`,
    )
}

function refuseParameters(text: string): void {
  const found = /\$\d+/u.exec(text.replace(quoted, ' '))
  if (found !== null)
    throw invalid(
      `${found[0]} stands in it, and parameters are numbered here; write \${value} in its place`,
    )
}

/** DuckDB's text ends at a NUL, and has no halves of characters. */
function refuseUnreadable(text: string): void {
  if (text.includes('\0')) throw invalid('it has a NUL character; take it out')
  if (!text.isWellFormed())
    throw invalid('it has half a character (a lone surrogate); write the whole character')
}

type Place = 'code' | 'text' | 'name' | 'comment'

/** Comments, string literals, quoted names and dollar-quoted literals. One without an end reaches to the end of the text. */
const quoted =
  /--[^\n]*\n?|\/\*[\s\S]*?(?:\*\/|$)|(?<!\w)e'(?:[^'\\]|\\[\s\S]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|\$(?<tag>[a-z_]*)\$[\s\S]*?(?:\$\k<tag>\$|$)/giu

/** The construct that is open at the end of an SQL text. */
function placeAtEnd(sql: string): Place {
  const last = [...sql.matchAll(quoted)].at(-1)
  if (last === undefined || last.index + last[0].length < sql.length) return 'code'
  const [found] = last
  if (found.startsWith('--')) return found.endsWith('\n') ? 'code' : 'comment'
  if (found.startsWith('/*')) return found.length > 3 && found.endsWith('*/') ? 'code' : 'comment'
  if (found.startsWith('"')) return isClosed(found, '"') ? 'code' : 'name'
  if (found.startsWith('$')) {
    const tag = `$${last.groups?.['tag'] ?? ''}$`
    return found.length >= 2 * tag.length && found.endsWith(tag) ? 'code' : 'text'
  }
  return isClosed(found.replace(/^e/iu, '').replace(/\\[\s\S]/gu, ''), "'") ? 'code' : 'text'
}

/** A quote inside of quotes is doubled, so the last quote closes when their number is even. */
function isClosed(text: string, quote: string): boolean {
  return text.split(quote).length % 2 === 1
}

function invalid(problem: string): LabError {
  return new LabError('LAB_SQL_INVALID', { problem })
}
