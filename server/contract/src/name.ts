/**
 * Names that people choose. A name is one line, without surrounding blanks, safe in a path, a host name and a log line.
 *
 * Source: CONFINE registry API, "names are single line, no surrounding blanks"; slice names at most 128 characters.
 */
export const namePattern = '^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$'

/** {@link namePattern} in words, to follow "must be". */
export const nameRule =
  'letters, digits and, between them, ".", "_" and "-" (beginning and ending with a letter or digit)'

/** The longest name of a node, slice, template, token, user or group, in characters. */
export const nameMaxLength = 128

const nameRegExp = new RegExp(namePattern, 'u')

/** Tell whether a string is a well-formed name (see {@link namePattern}). */
export function isName(value: string): boolean {
  return value.length <= nameMaxLength && nameRegExp.test(value)
}

/**
 * Find the known name that was most likely meant, for "did you mean" in an error.
 *
 * Returns `null` when nothing is within a third of the name's length (at least 1 edit). Two neighbouring characters that changed places are one edit.
 * Source: optimal string alignment, a restricted Damerau-Levenshtein distance.
 */
export function nearestName(wrong: string, known: readonly string[]): string | null {
  const bound = Math.max(1, Math.floor(wrong.length / 3))
  let best: { name: string; edits: number } | null = null
  for (const name of known) {
    const edits = countEdits(wrong.toLowerCase(), name.toLowerCase())
    if (edits <= bound && (best === null || edits < best.edits)) best = { name, edits }
  }
  return best?.name ?? null
}

function countEdits(from: string, to: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let line = 1; line <= from.length; line++) {
    const next = [line]
    for (let column = 1; column <= to.length; column++) {
      const swap = (row[column - 1] ?? 0) + (from[line - 1] === to[column - 1] ? 0 : 1)
      const edits = Math.min(swap, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1)
      const changedPlaces =
        line > 1 &&
        column > 1 &&
        from[line - 1] === to[column - 2] &&
        from[line - 2] === to[column - 1]
      next.push(changedPlaces ? Math.min(edits, (before[column - 2] ?? 0) + 1) : edits)
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
