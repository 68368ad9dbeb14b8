/** A place in the events, as readers give it back. */
export interface Cursor {
  /** The last event that the reader knows. */
  readonly id: number
  /** What tells that event from another of the same number; null: the reader does not say. */
  readonly mark: string | null
}

/** An event, or the beginning before all (null). */
type Marked = { readonly id: number; readonly time: string } | null

/**
 * Write the cursor after an event: its number, and a mark of the event itself. A server that was restored from an older copy gives the numbers of lost events
 * to others; the mark tells them apart, and a reader from before is told to read everything again.
 */
export function formatCursor(id: number, event: Marked): string {
  return `${id}.${markOf(event)}`
}

/** Read a cursor; null when it is none. A number alone is one too. */
export function maybeCursor(text: string): Cursor | null {
  const match = /^(\d{1,15})(?:\.([0-9a-z]{1,12}))?$/u.exec(text)
  return match === null ? null : { id: Number(match[1]), mark: match[2] ?? null }
}

/** Tell whether a cursor was written after this event. */
export function isAfter({ mark }: Cursor, event: Marked): boolean {
  return mark === null || mark === markOf(event)
}

function markOf(event: Marked): string {
  return event === null ? '0' : Date.parse(event.time).toString(36)
}
