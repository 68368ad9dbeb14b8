/** The position of a reader in the events. Readers send it back to continue. */
export interface Cursor {
  /** The last event that the reader has. */
  readonly id: number
  /** A mark that distinguishes that event from another one with the same number; null: the reader does not have one. */
  readonly mark: string | null
}

/** An event; null stands for the position before all events. */
type Marked = { readonly id: number; readonly time: string } | null

/**
 * Write the cursor after an event: its number, and a mark of the event itself. A server that was restored from an older copy gives new events the numbers of
 * lost ones. The mark distinguishes them, so a reader with a cursor of a lost event is told to read everything again.
 */
export function formatCursor(id: number, event: Marked): string {
  return `${id}.${markOf(event)}`
}

/** Parse a cursor; null when it is not valid. A number without a mark is valid. */
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
