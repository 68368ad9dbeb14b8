/** An entry of a catcher's index: all bytes of the stream before `end` had arrived at `timeUs`. */
export interface IndexEntry {
  readonly end: number
  /** Microseconds since the epoch. */
  readonly timeUs: number
}

/** The bytes of one entry: two numbers of 16 digits, a space and a newline. */
export const indexEntryBytes = 34

/** Parse entries of a catcher's index. A torn last entry is left for later. A damaged entry ends the list. */
export function parseIndex(text: string): readonly IndexEntry[] {
  const entries: IndexEntry[] = []
  for (let at = 0; at + indexEntryBytes <= text.length; at += indexEntryBytes) {
    const match = /^(\d{16}) (\d{16})\n$/u.exec(text.slice(at, at + indexEntryBytes))
    if (match === null) break
    entries.push({ end: Number(match[1]), timeUs: Number(match[2]) })
  }
  return entries
}
