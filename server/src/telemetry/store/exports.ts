import type { DuckDBConnection } from '@duckdb/node-api'
import type { Catalog } from './catalog.ts'
import type { ParquetRequest } from './protocol.ts'
import { createQueue } from './queue.ts'
import { writeParquet } from './read.ts'

/** Files that are written for readers, one at a time. */
export interface Exports {
  /** Write a file; see {@link writeParquet}. Throws when it is cancelled. */
  write(catalog: Catalog, request: ParquetRequest): Promise<boolean>
  /** Give up a file that is being written or waits for it. Nothing happens when there is none. */
  cancel(id: string): Promise<void>
  /** Give up all files that are being written or wait for it. */
  close(): Promise<void>
}

/** Make the writer of files; the connection is its own. */
export function createExports(connection: DuckDBConnection): Exports {
  const enqueue = createQueue()
  const waiting = new Set<string>()
  let running: string | null = null

  async function run(catalog: Catalog, request: ParquetRequest): Promise<boolean> {
    if (!waiting.delete(request.id)) throw new Error('it was given up')
    running = request.id
    try {
      return await writeParquet(connection, catalog, request)
    } finally {
      running = null
    }
  }

  return {
    write(catalog, request) {
      waiting.add(request.id)
      return enqueue(() => run(catalog, request))
    },
    cancel(id) {
      waiting.delete(id)
      if (running === id) connection.interrupt()
      return Promise.resolve()
    },
    async close() {
      waiting.clear()
      if (running !== null) connection.interrupt()
      await enqueue(() => Promise.resolve())
    },
  }
}
