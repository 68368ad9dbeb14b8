/**
 * How far a reader of rows has read: for each writer of samples, the number (`landed`) of the last row. Each writer counts its own rows, so numbers of two of them cannot be compared. Of a
 * writer that is not in it, nothing was read.
 */
export type RowCursor = ReadonlyMap<number, number>

/** The number of the first writer, and of the only one today. */
export const firstWriter = 1
/** The most writers of a cursor. */
const maxWriters = 64

/**
 * The text of a cursor, as a regular expression: version 1 is `v1:<writer>=<landed>,…`. A number alone was written when there was one writer, and is of the {@link firstWriter}.
 */
export const rowCursorPattern = `^(?:\\d{1,15}|v1:\\d{1,4}=\\d{1,15}(?:,\\d{1,4}=\\d{1,15}){0,${maxWriters - 1}})$`

const pattern = new RegExp(rowCursorPattern, 'u')

/** Write a cursor, in the order of the writers. It has one at least. */
export function formatRowCursor(cursor: RowCursor): string {
  const parts = [...cursor].sort(([one], [other]) => one - other)
  return `v1:${parts.map(([writer, landed]) => `${writer}=${landed}`).join(',')}`
}

/** Read a cursor of any version; null when it is none, or has a writer twice. */
export function maybeRowCursor(text: string): RowCursor | null {
  if (!pattern.test(text)) return null
  if (!text.startsWith('v1:')) return new Map([[firstWriter, Number(text)]])
  const parts = text.slice(3).split(',')
  const cursor = new Map(
    parts.map((part) => {
      const [writer, landed] = part.split('=')
      return [Number(writer), Number(landed)] as const
    }),
  )
  return cursor.size === parts.length ? cursor : null
}

/** Tell whether a cursor has rows beyond another one, of any writer. */
export function isBeyond(cursor: RowCursor, other: RowCursor): boolean {
  return [...cursor].some(([writer, landed]) => landed > (other.get(writer) ?? 0))
}

/** Return what was read by both: of each writer the greater number. */
export function mergeRowCursors(one: RowCursor, other: RowCursor): RowCursor {
  const merged = new Map(one)
  for (const [writer, landed] of other)
    merged.set(writer, Math.max(merged.get(writer) ?? 0, landed))
  return merged
}
