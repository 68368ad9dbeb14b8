/** One entry of a catcher's index: all bytes of the stream before `end` had come at `timeUs`. */
export interface IndexEntry {
  readonly end: number
  /** Microseconds since the epoch. */
  readonly timeUs: number
}

/** Bytes of one entry: two numbers of 16 digits, a blank and a newline. */
export const indexEntryBytes = 34

/** Read entries of a catcher's index; a torn last one is left for later. A damaged one ends the list. */
export function parseIndex(text: string): readonly IndexEntry[] {
  const entries: IndexEntry[] = []
  for (let at = 0; at + indexEntryBytes <= text.length; at += indexEntryBytes) {
    const match = /^(\d{16}) (\d{16})\n$/u.exec(text.slice(at, at + indexEntryBytes))
    if (match === null) break
    entries.push({ end: Number(match[1]), timeUs: Number(match[2]) })
  }
  return entries
}
