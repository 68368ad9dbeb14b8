/** A segment of a generated line: where it begins, and its position in the source. All numbers are zero-based. */
export interface Segment {
  readonly column: number
  readonly sourceLine: number
  readonly sourceColumn: number
  /** Whether the text from here to the next segment is that of the source. */
  readonly isVerbatim?: true
}

/** The segments of each generated line, in the order of their columns. This is plain data, which can be sent to other processes. */
export type LineMap = readonly (readonly Segment[])[]

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/**
 * Read the `mappings` of a source map that has a single source.
 *
 * Source: ECMA-426, "Decoding Source Maps": base64 VLQ, fields relative to those before; the generated column starts at 0 on each line.
 */
export function parseMappings(mappings: string): LineMap {
  let sourceLine = 0
  let sourceColumn = 0
  return mappings.split(';').map((line) => {
    let column = 0
    const segments: Segment[] = []
    for (const text of line.split(',')) {
      const [columnStep, , lineStep, sourceColumnStep] = parseVlq(text)
      if (columnStep === undefined) continue
      column += columnStep
      if (lineStep === undefined || sourceColumnStep === undefined) continue
      sourceLine += lineStep
      sourceColumn += sourceColumnStep
      segments.push({ column, sourceLine, sourceColumn })
    }
    return segments
  })
}

function parseVlq(text: string): number[] {
  const numbers: number[] = []
  let value = 0
  let shift = 0
  for (const character of text) {
    const digit = digits.indexOf(character)
    value += (digit & 31) << shift
    shift += 5
    if ((digit & 32) !== 0) continue
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1)
    value = 0
    shift = 0
  }
  return numbers
}

/** Return the source position of a generated position, zero-based; null when no segment begins at or before it on its line. */
export function findSource(
  map: LineMap,
  line: number,
  column: number,
): { line: number; column: number } | null {
  const found = (map[line] ?? []).findLast((segment) => segment.column <= column) ?? map[line]?.[0]
  if (found === undefined) return null
  const { sourceLine, sourceColumn, isVerbatim = false } = found
  const distance = isVerbatim ? Math.max(0, column - found.column) : 0
  return { line: sourceLine, column: sourceColumn + distance }
}
