import type { LineMap, Segment } from './line-map.ts'

/** A change of a text: `text` replaces what is between `start` and `end`. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
  /** The edit replaces the callee of a call. V8 then reports the position of the call after the name, not at it. */
  readonly isCallee?: boolean
}

/** The order of edits at one offset: ends of wrapped ranges, then beginnings of wrapped ranges, then replacements. */
const order = { close: 0, open: 1, replace: 2 } as const

interface OrderedEdit extends Edit {
  readonly kind: keyof typeof order
  /** The offset of the other end of its range. */
  readonly other: number
}

/**
 * Collects changes of a text and applies them together.
 *
 * Invariants: replaced ranges do not overlap. Text around a range is outside of the text around a shorter one.
 */
export class Edits {
  readonly #text: string
  readonly #edits: OrderedEdit[] = []

  constructor(text: string) {
    this.#text = text
  }

  /** Replace a range by a text. */
  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text, kind: 'replace', other: end })
  }

  /** Replace the callee of a call by a text. */
  replaceCallee(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text, kind: 'replace', other: end, isCallee: true })
  }

  /** Remove a range except its newlines, so that lines do not move. */
  remove(start: number, end: number): void {
    this.replace(start, end, this.#text.slice(start, end).replace(/[^\n]+/gu, ''))
  }

  /** Put texts around a range. */
  wrap(
    node: { readonly start: number; readonly end: number },
    before: string,
    after: string,
  ): void {
    const { start, end } = node
    this.#edits.push({ start, end: start, text: before, kind: 'open', other: end })
    this.#edits.push({ start: end, end, text: after, kind: 'close', other: start })
  }

  /** Insert a text before everything that begins at an offset. */
  insertBefore(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text, kind: 'open', other: Infinity })
  }

  /** Insert a text after everything that ends at an offset. */
  insertAfter(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text, kind: 'close', other: -Infinity })
  }

  /** Return the changes in the order of the text. */
  sorted(): readonly Edit[] {
    return this.#edits.toSorted(
      (a, b) =>
        a.start - b.start ||
        order[a.kind] - order[b.kind] ||
        (a.other === b.other ? 0 : b.other - a.other),
    )
  }

  /** Return the text with all changes. */
  apply(): string {
    return applyEdits(this.#text, this.sorted())
  }
}

/** Apply changes, which are in the order of the text. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let made = ''
  let at = 0
  for (const { start, end, text: change } of edits) {
    made += text.slice(at, start) + change
    at = end
  }
  return made + text.slice(at)
}

/** Make the line map of a text after edits, which are in the order of the text and keep its lines. `linesBefore` lines were put before the text. */
export function mapEdits(
  text: string,
  { edits, linesBefore }: { edits: readonly Edit[]; linesBefore: number },
): LineMap {
  const lines: Segment[][] = Array.from({ length: linesBefore }, () => [])
  let current: Segment[] = []
  let column = 0
  let source = { line: 0, column: 0 }
  /** Note that the text from here on is that of the source, or else belongs to this position of it. */
  const mark = ({ line, column: of }: typeof source, isVerbatim: boolean): void => {
    const place = { column, sourceLine: line, sourceColumn: of }
    current.push(isVerbatim ? { ...place, isVerbatim } : place)
  }
  const endLine = (): void => {
    lines.push(current)
    current = []
    column = 0
  }
  /** Move over text of the source that stays. */
  const keep = (kept: string): void => {
    const [first = '', ...others] = kept.split('\n')
    if (first !== '') mark(source, true)
    column += first.length
    source = { line: source.line, column: source.column + first.length }
    for (const line of others) {
      endLine()
      source = { line: source.line + 1, column: 0 }
      mark(source, true)
      column = line.length
      source = { line: source.line, column: line.length }
    }
  }
  let at = 0
  for (const { start, end, text: change, isCallee = false } of edits) {
    keep(text.slice(at, start))
    const origin = source
    const [first = '', ...others] = change.split('\n')
    if (first !== '') mark(origin, false)
    column += first.length
    for (const [index, line] of others.entries()) {
      endLine()
      mark({ line: origin.line + index + 1, column: 0 }, false)
      column = line.length
    }
    const removed = text.slice(start, end).split('\n')
    const last = removed.at(-1)?.length ?? 0
    source =
      removed.length === 1
        ? { line: source.line, column: source.column + last }
        : { line: source.line + removed.length - 1, column: last }
    at = end
    if (!isCallee || text.startsWith('\n', end)) continue
    mark(origin, false)
    keep(text.slice(end, end + 1))
    current.splice(-1)
    at = end + 1
  }
  keep(text.slice(at))
  lines.push(current)
  return lines
}

/** Adapt the line map of a text to edits of it. The edits moved columns but no lines. `linesBefore` lines were put before the text. */
export function moveColumns(
  map: LineMap,
  { text, edits, linesBefore }: { text: string; edits: readonly Edit[]; linesBefore: number },
): LineMap {
  const moved: (readonly Segment[])[] = Array.from({ length: linesBefore }, () => [])
  let next = 0
  let lineStart = 0
  for (const segments of map) {
    /** How far the rest of the line has moved. */
    let shift = 0
    const origins = new Map<number, Segment>()
    moved.push(
      segments.map((segment) => {
        const at = lineStart + segment.column
        for (let edit = edits[next]; edit !== undefined; edit = edits[next]) {
          if (edit.start >= at || edit.end > at) break
          const { start, end } = edit
          const origin = segments.findLast((each) => lineStart + each.column <= start)
          if (edit.isCallee === true && origin !== undefined) origins.set(end, origin)
          shift += edit.text.length - (end - start)
          next += 1
        }
        const { sourceLine, sourceColumn } = origins.get(at) ?? segment
        return { column: Math.max(0, segment.column + shift), sourceLine, sourceColumn }
      }),
    )
    const end = text.indexOf('\n', lineStart)
    lineStart = end === -1 ? text.length + 1 : end + 1
    while ((edits[next]?.start ?? Infinity) < lineStart) next += 1
  }
  return moved
}
