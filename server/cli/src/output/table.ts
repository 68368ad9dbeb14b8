/** A column of a table: its title, and its text for a row. */
export interface Column<Row> {
  readonly title: string
  readonly show: (row: Row) => string | number | null
  /** Numbers are aligned right. */
  readonly align?: 'left' | 'right'
}

/**
 * Format rows in columns with titles and two blanks between columns; an empty text when there are no rows. A missing value is `-`. Control characters are
 * shown as `?`, so that no name can control the terminal.
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
