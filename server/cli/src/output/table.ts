/** A column of a table: its title, and what it shows of a row. */
export interface Column<Row> {
  readonly title: string
  readonly show: (row: Row) => string | number | null
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right'
}

/**
 * Write rows in columns, with titles, two blanks apart; an empty text when there are no rows. A missing value is `-`; control characters are
 * shown as `?`, so that no name can drive the terminal.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): readonly string[] {
  if (rows.length === 0) return []
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ show }) => cellText(show(row)))),
  ]
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => widthOf(line[at] ?? ''))))
  return lines.map((line) =>
    line
      .map((text, at) => {
        const gap = ' '.repeat((widths[at] ?? 0) - widthOf(text))
        return columns[at]?.align === 'right' ? gap + text : text + gap
      })
      .join('  ')
      .trimEnd(),
  )
}

function cellText(value: string | number | null): string {
  return value === null || value === '' ? '-' : String(value).replaceAll(/\p{Cc}/gu, '?')
}

function widthOf(text: string): number {
  return Array.from(text).length
}
