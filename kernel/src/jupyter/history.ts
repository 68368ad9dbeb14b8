import type { Json } from './wire/message.ts'

/** One input: session (0 is this one), execution count, text. */
export type HistoryEntry = readonly [number, number, string]

/** The most characters of a result that are stored. */
const maxOutputLength = 10_000

/** The inputs of this session and the text of their results. Earlier sessions are not stored. */
export interface History {
  add(count: number, source: string): void
  /** Store the result of an input as text. */
  addOutput(count: number, text: string): void
  /** Answer a history request: `tail`, `range` (of this session) or `search` (with * and ?). */
  find(request: Json): readonly unknown[]
}

/**
 * Create an empty history.
 *
 * Source: Jupyter messaging protocol 5.3, "History".
 */
export function createHistory(): History {
  const entries: HistoryEntry[] = []
  const outputs = new Map<number, string>()
  return {
    add: (count, source) => void entries.push([0, count, source]),
    addOutput: (count, text) => void outputs.set(count, text.slice(0, maxOutputLength)),
    find(request) {
      const found = select(entries, request)
      if (request['output'] !== true) return found
      // Null: the input had no result.
      return found.map(([session, line, input]) => [
        session,
        line,
        [input, outputs.get(line) ?? null],
      ])
    },
  }
}

function select(entries: readonly HistoryEntry[], request: Json): readonly HistoryEntry[] {
  const count = numberOf(request['n'], entries.length)
  switch (request['hist_access_type']) {
    case 'tail':
      return last(entries, count)
    case 'range': {
      if (numberOf(request['session'], 0) !== 0) return []
      // A negative session counts from the current one, as in IPython. Lines count from 1.
      const end = (entries.at(-1)?.[1] ?? 0) + 1
      const start = fromEnd(numberOf(request['start'], 0), end)
      const stop = fromEnd(numberOf(request['stop'], end), end)
      return entries.filter(([, line]) => line >= start && line < stop)
    }
    case 'search': {
      const pattern = globOf(typeof request['pattern'] === 'string' ? request['pattern'] : '*')
      const matching = entries.filter(([, , input]) => pattern.test(input))
      return last(request['unique'] === true ? latestOfEach(matching) : matching, count)
    }
    default:
      return []
  }
}

function fromEnd(line: number, end: number): number {
  return line < 0 ? line + end : line
}

/** Of equal inputs, keep the latest. The order is that of the latest runs. */
function latestOfEach(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const latest = new Map(entries.map((entry) => [entry[2], entry]))
  return entries.filter((entry) => latest.get(entry[2]) === entry)
}

function last<T>(values: readonly T[], count: number): readonly T[] {
  return count <= 0 ? [] : values.slice(-count)
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}

function globOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/gu, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'su')
}
