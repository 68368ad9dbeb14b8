import type { Catalog } from './catalog.ts'
import type { ParquetRequest } from './protocol.ts'
import { writeParquet, type Source } from './read.ts'

/** Writes files for readers, one at a time. Waiting readers take turns, so that one with many requests delays another by one file at most. */
export interface Exports {
  /** Write a file; see {@link writeParquet}. Throws when it is cancelled, and when it takes too long. */
  write(catalog: Catalog, request: ParquetRequest): Promise<boolean>
  /** Cancel a file that is being written or waits. Does nothing when there is no such file. */
  cancel(id: string): void
  /** Cancel all files. Settles when no file is being written. */
  close(): Promise<void>
}

interface Waiting {
  readonly catalog: Catalog
  readonly request: ParquetRequest
  resolve(isWritten: boolean): void
  reject(error: unknown): void
}

/** The time between interrupts of DuckDB until it notices one, in milliseconds. */
export const interruptEveryMs = 50

const givenUp = 'it was given up'

/** Create a writer of files. It is the only user of the source’s connection. `withinMs` is the most time for writing one file, in milliseconds. */
export function createExports(source: Omit<Source, 'catalog'>, withinMs: number): Exports {
  const { connection } = source
  // By reader. The first reader has the next turn.
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
      // DuckDB ignores an interrupt between two steps of a query, so it is repeated.
      again = setInterval(() => connection.interrupt(), interruptEveryMs)
    })
    const timer = setTimeout(() => ending.abort(late), withinMs)
    current = { id: request.id, stop: () => ending.abort(new Error(givenUp)) }
    try {
      return await writeParquet({ ...source, catalog }, request)
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
