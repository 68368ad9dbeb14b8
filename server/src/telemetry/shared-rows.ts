import { measurementKey } from './domain/name.ts'
import type { TelemetryStore } from './store.ts'
import type { RowsRequest } from './store/protocol.ts'

/** Rows as the text of a server-sent event without its id, which is made once for all readers. */
export interface RowsEvent {
  /** Null when there are no rows. */
  readonly text: string | null
  /** The number of its last row; null when there are no rows. */
  readonly landed: number | null
  /** All rows up to this number were read. */
  readonly readTo: number
  /** Whether there are no further rows now. */
  readonly isAll: boolean
}

/** Reads rows for many readers: those that ask for the same rows share a query. */
export interface SharedRows {
  read(request: RowsRequest): Promise<RowsEvent>
  /** Call back when a measurement has new rows. Returns a function that ends this. */
  onLanded(
    place: { readonly scope: string; readonly name: string },
    listener: () => void,
  ): () => void
}

interface Kept {
  readonly measurement: string
  readonly answer: Promise<RowsEvent>
  /** Null while the query runs. */
  event: RowsEvent | null
}

/** The most answers that are kept for the next reader, and the most characters of their texts: readers of the same rows ask at nearly the same time. */
const maxKept = 64
const maxKeptCharacters = 8 * 1024 * 1024

/** Share the queries of readers. After a commit, the readers of one measurement who have read all before cost one query together. */
export function createSharedRows(store: Pick<TelemetryStore, 'rows' | 'onLanded'>): SharedRows {
  // In the order of the queries.
  const kept = new Map<string, Kept>()
  const listeners = new Map<string, Set<() => void>>()
  let characters = 0

  function forget(key: string): void {
    characters -= kept.get(key)?.event?.text?.length ?? 0
    kept.delete(key)
  }

  /** After a commit, an answer without rows is out of date, and so may be one that is under way. An answer with rows stays right, but is not all any more. */
  function noteLanded(measurements: ReadonlySet<string>): void {
    for (const [key, one] of kept) {
      if (!measurements.has(one.measurement)) continue
      if (one.event === null || one.event.text === null) forget(key)
      else one.event = { ...one.event, isAll: false }
    }
    for (const measurement of measurements)
      for (const listener of listeners.get(measurement) ?? []) listener()
  }

  function makeRoom(): void {
    for (const key of kept.keys()) {
      if (kept.size <= maxKept && characters <= maxKeptCharacters) return
      forget(key)
    }
  }

  async function ask(request: RowsRequest): Promise<RowsEvent> {
    const { batch, readTo, hasMore } = await store.rows(request)
    const text = batch === null ? null : `data: ${JSON.stringify(batch)}\n\n`
    return { text, landed: batch?.landed ?? null, readTo, isAll: !hasMore }
  }

  // It ends with the store.
  store.onLanded(noteLanded)
  return {
    read(request) {
      const { scope, name, run, after, limit } = request
      const key = JSON.stringify([scope, name, run, after, limit])
      const known = kept.get(key)
      if (known !== undefined)
        return known.event === null ? known.answer : Promise.resolve(known.event)
      const answer = ask(request)
      const one: Kept = { measurement: measurementKey(scope, name), answer, event: null }
      kept.set(key, one)
      answer.then(
        (event) => {
          if (kept.get(key) !== one) return
          one.event = event
          characters += event.text?.length ?? 0
          makeRoom()
        },
        // Each reader gets the error, and the next one asks again.
        () => {
          if (kept.get(key) === one) kept.delete(key)
        },
      )
      return answer
    },
    onLanded(place, listener) {
      const key = measurementKey(place.scope, place.name)
      const of = listeners.get(key) ?? new Set()
      listeners.set(key, of.add(listener))
      return () => {
        of.delete(listener)
        if (of.size === 0 && listeners.get(key) === of) listeners.delete(key)
      }
    },
  }
}
