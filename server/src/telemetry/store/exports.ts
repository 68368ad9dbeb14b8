import type { DuckDBConnection } from '@duckdb/node-api'
import type { Catalog } from './catalog.ts'
import type { ParquetRequest } from './protocol.ts'
import { writeParquet } from './read.ts'

/** Writes files for readers, one at a time. The readers who wait take turns, so that one with many requests delays another by one file at most. */
export interface Exports {
  /** Write a file; see {@link writeParquet}. Throws when it is cancelled, and when it takes too long. */
  write(catalog: Catalog, request: ParquetRequest): Promise<boolean>
  /** Give up a file that is being written or waits for it. Nothing happens when there is none. */
  cancel(id: string): void
  /** Give up all files; settles when none is being written any more. */
  close(): Promise<void>
}

interface Waiting {
  readonly catalog: Catalog
  readonly request: ParquetRequest
  resolve(isWritten: boolean): void
  reject(error: unknown): void
}

/** How long DuckDB may take to notice that it was interrupted, before it is interrupted again; in milliseconds. */
export const interruptEveryMs = 50

const givenUp = 'it was given up'

/** Make a writer of files; the connection is its own. `withinMs`: how long the writing of one file may take, in milliseconds. */
export function createExports(connection: DuckDBConnection, withinMs: number): Exports {
  // By reader. The reader whose turn is next comes first.
  const waiting = new Map<string, Waiting[]>()
  let current: { readonly id: string; stop(): void } | null = null
  let running: Promise<void> | null = null

  function takeNext(): Waiting | undefined {
    const [first] = waiting
    if (first === undefined) return undefined
    const [reader, [next, ...others]] = first
    waiting.delete(reader)
    if (others.length > 0) waiting.set(reader, others)
    return next
  }

  async function write({ catalog, request }: Waiting): Promise<boolean> {
    const late = new Error(
      `it took longer than ${withinMs / 1000} s: ask for fewer rows (?run=, ?from=, ?to=)`,
    )
    const ending = new AbortController()
    let again: NodeJS.Timeout | undefined
    ending.signal.addEventListener('abort', () => {
      connection.interrupt()
      // An interrupt between two steps of a query is lost.
      again = setInterval(() => connection.interrupt(), interruptEveryMs)
    })
    const timer = setTimeout(() => ending.abort(late), withinMs)
    current = { id: request.id, stop: () => ending.abort(new Error(givenUp)) }
    try {
      return await writeParquet(connection, catalog, request)
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error
    } finally {
      clearTimeout(timer)
      clearInterval(again)
      current = null
    }
  }

  async function run(): Promise<void> {
    for (let next = takeNext(); next !== undefined; next = takeNext())
      await write(next).then(next.resolve, next.reject)
    running = null
  }

  function giveUp({ reject }: Waiting): void {
    reject(new Error(givenUp))
  }

  return {
    write(catalog, request) {
      return new Promise((resolve, reject) => {
        const of = waiting.get(request.reader) ?? []
        waiting.set(request.reader, of)
        of.push({ catalog, request, resolve, reject })
        running ??= run()
      })
    },
    cancel(id) {
      if (current?.id === id) current.stop()
      for (const [reader, of] of waiting) {
        const left = of.filter(({ request }) => request.id !== id)
        of.filter(({ request }) => request.id === id).forEach(giveUp)
        if (left.length > 0) waiting.set(reader, left)
        else waiting.delete(reader)
      }
    },
    async close() {
      const given = [...waiting.values()].flat()
      waiting.clear()
      given.forEach(giveUp)
      current?.stop()
      await running
    },
  }
}
