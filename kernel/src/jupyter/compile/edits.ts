import type { LineMap, Segment } from './line-map.ts'

/** A change of a text: what stood at `start` … `end` becomes `text`. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
  /** It replaces the callee of a call. V8 then reports the position of the call behind the name instead of at it. */
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
 * Gathers changes of one text and applies them at once.
 *
 * Invariants: replaced ranges do not overlap. Texts around a range stand outside of the texts around a shorter one.
 */
export class Edits {
  readonly #text: string
  readonly #edits: OrderedEdit[] = []

  constructor(text: string) {
    this.#text = text
  }

  /** Put a text in the place of another. */
  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text, kind: 'replace', other: end })
  }

  /** Put a text in the place of what is called. */
  replaceCallee(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text, kind: 'replace', other: end, isCallee: true })
  }

  /** Remove a text, but not its newlines: lines never move. */
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

  /** Put a text before all that begins there. */
  insertBefore(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text, kind: 'open', other: Infinity })
  }

  /** Put a text behind all that ends there. */
  insertAfter(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text, kind: 'close', other: -Infinity })
  }

  /** The changes in the order of the text. */
  sorted(): readonly Edit[] {
    return this.#edits.toSorted(
      (a, b) =>
        a.start - b.start ||
        order[a.kind] - order[b.kind] ||
        (a.other === b.other ? 0 : b.other - a.other),
    )
  }

  /** The text with all changes. */
  apply(): string {
    return applyEdits(this.#text, this.sorted())
  }
}

/** Change a text. The changes are in its order. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let made = ''
  let at = 0
  for (const { start, end, text: change } of edits) {
    made += text.slice(at, start) + change
    at = end
  }
  return made + text.slice(at)
}

/** Make the line map of a text fit the text after edits. The edits moved columns but no lines. `linesBefore` lines were put before the text. */
export function moveColumns(
  map: LineMap,
  { text, edits, linesBefore }: { text: string; edits: readonly Edit[]; linesBefore: number },
): LineMap {
  const moved: (readonly Segment[])[] = Array.from({ length: linesBefore }, () => [])
  let next = 0
  let lineStart = 0
  for (const segments of map) {
    /** By how much the text that follows on this line has moved. */
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
