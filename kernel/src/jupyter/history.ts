import type { Json } from './wire/message.ts'

/** One input: session (0 is this one), its execution count, its text. */
export type HistoryEntry = readonly [number, number, string]

/** The inputs of this session; earlier sessions are not kept. */
export interface History {
  add(count: number, source: string): void
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
  return {
    add: (count, source) => void entries.push([0, count, source]),
    find(request) {
      const found = select(entries, request)
      // Outputs are not kept: null, as the protocol has it for an input without one.
      if (request['output'] !== true) return found
      return found.map(([session, line, input]) => [session, line, [input, null]])
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
      const start = numberOf(request['start'], 0)
      const stop = numberOf(request['stop'], Infinity)
      return entries.filter(([, line]) => line >= start && line < stop)
    }
    case 'search': {
      const pattern = globOf(typeof request['pattern'] === 'string' ? request['pattern'] : '*')
      const matching = entries.filter(([, , input]) => pattern.test(input))
      const unique = new Map(matching.map((entry) => [entry[2], entry]))
      return last(request['unique'] === true ? [...unique.values()] : matching, count)
    }
    default:
      return []
  }
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
