import { inspect } from 'node:util'
import { makeDisplayable, type Bundle, type displaySymbol } from './bundle.ts'

/** A column of a shown table. */
export interface Column<T> {
  readonly name: string
  value(item: T): unknown
}

/** An array that shows itself as a table. `displaySymbol` is written as a property, because the bundled types for cells would lose it as a method's name. */
export type Shown<T> = T[] & { readonly [displaySymbol]: () => Bundle }

/** A longer table shows its first rows and its length. */
const maxRows = 50
const maxTextCell = 60
const maxHtmlCell = 2_000

/** Make an array show itself as a table, in text and HTML. It stays an ordinary array. */
export function asTable<T>(items: T[], columns: () => readonly Column<T>[], note = ''): Shown<T> {
  const shown = makeDisplayable(items, {
    text: () => formatTable(items, columns(), note),
    bundle: () => tableBundle(items, columns(), note),
  })
  return shown as Shown<T>
}

/** Make the bundle of a table. */
export function tableBundle<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  note = '',
): Bundle {
  return {
    'text/plain': formatTable(items, columns, note),
    'text/html': renderTable(items, columns, note),
  }
}

/** Return the columns of database rows: every member of any row that is shown. */
export function rowColumns<T extends object>(rows: readonly T[]): Column<T>[] {
  const names = new Set(rows.slice(0, maxRows).flatMap((row) => Object.keys(row)))
  return [...names].map((name) => ({ name, value: (row) => Reflect.get(row, name) }))
}

/** Write a table as text. Numbers are aligned to the right. */
export function formatTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  note = '',
): string {
  const cells = cellsOf(items, columns)
  const texts = cells.map((row) => row.map((cell) => oneLine(formatValue(cell))))
  const widths = columns.map((column, index) =>
    Math.max(column.name.length, ...texts.map((row) => row[index]?.length ?? 0)),
  )
  const numeric = columns.map((_, index) => isNumeric(cells.map((row) => row[index])))
  const line = (row: readonly string[]): string =>
    row
      .map((text, index) =>
        numeric[index] ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const head = [line(columns.map(({ name }) => name)), line(widths.map((w) => '─'.repeat(w)))]
  return [...head, ...texts.map(line), ...footer(items.length, note)].join('\n')
}

/** Write a table as HTML, in the colours of the notebook. */
export function renderTable<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  note = '',
): string {
  const cells = cellsOf(items, columns)
  const aligns = columns.map((_, index) =>
    isNumeric(cells.map((row) => row[index])) ? 'right' : 'left',
  )
  const cell = (tag: string, text: string, index: number): string =>
    `<${tag} style="text-align:${aligns[index] ?? 'left'};white-space:pre-wrap;vertical-align:top">${escapeHtml(text)}</${tag}>`
  const head = columns.map(({ name }, index) => cell('th', name, index)).join('')
  const rows = cells.map(
    (row) =>
      `<tr>${row.map((value, index) => cell('td', cut(formatValue(value).trimEnd(), maxHtmlCell), index)).join('')}</tr>`,
  )
  const foot = footer(items.length, note)
    .map((text) => `<p style="opacity:0.7">${escapeHtml(text)}</p>`)
    .join('')
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>${foot}`
}

function cellsOf<T>(items: readonly T[], columns: readonly Column<T>[]): unknown[][] {
  return items.slice(0, maxRows).map((item) => columns.map((column) => column.value(item)))
}

/** Write a value for a cell of a table. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (typeof value === 'number' && !Number.isInteger(value))
    return String(Number(value.toPrecision(6)))
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  return inspect(value, { breakLength: Infinity, depth: 3 })
}

/** Escape text for HTML. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

function isNumeric(values: readonly unknown[]): boolean {
  const known = values.filter((value) => value !== null && value !== undefined)
  return (
    known.length > 0 &&
    known.every((value) => typeof value === 'number' || typeof value === 'bigint')
  )
}

function footer(count: number, note: string): string[] {
  const all = count > maxRows ? [`… ${maxRows} of ${count} rows`] : count === 0 ? ['no rows'] : []
  return note === '' ? all : [...all, note]
}

function oneLine(text: string): string {
  const lines = text.trimEnd().split('\n')
  // Remove control characters, because output of another machine must not control this terminal.
  const first = (lines[0] ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/gu, ' ')
  return cut(lines.length > 1 ? `${first} ⏎ +${lines.length - 1}` : first, maxTextCell)
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
