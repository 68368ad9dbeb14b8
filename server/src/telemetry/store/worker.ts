import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase } from './database.ts'
import { openIngest } from './ingest.ts'
import { createLane } from './lane.ts'
import type { CallMessage, StoreCalls, StoreMessage, StoreSettings } from './protocol.ts'
import { describeTable, readRows, writeParquet } from './read.ts'

// The store's thread: DuckDB's appender blocks the thread that calls it, and the server's event loop must not be that one.

function post(message: StoreMessage): void {
  parentPort?.postMessage(message)
}

async function openStore(settings: StoreSettings): Promise<StoreCalls> {
  const database = await openDatabase(settings)
  const ingest = await openIngest({
    connection: database.writing,
    settings,
    onLanded: (measurements) => post({ kind: 'landed', measurements }),
  })
  const readLane = createLane()
  const exportLane = createLane()
  return {
    begin: (start) => ingest.begin(start),
    append: (request) => ingest.append(request),
    list: async () =>
      (await ingest.survey()).filter(({ committed }) => committed !== null).map(describeTable),
    rows: (request) => readLane(() => readRows(database.reading, ingest.catalog, request)),
    parquet: (request) =>
      exportLane(() => writeParquet(database.exporting, ingest.catalog, request)),
    async close() {
      await ingest.close()
      await readLane(() => Promise.resolve())
      await exportLane(() => Promise.resolve())
      database.close()
    },
  }
}

async function answer(calls: StoreCalls, { id, call, argument }: CallMessage): Promise<void> {
  try {
    // The other end is `store.ts`, whose calls are typed by StoreCalls.
    const perform = calls[call] as (argument: unknown) => Promise<unknown>
    post({ kind: 'result', id, result: await perform(argument) })
  } catch (error) {
    post({ kind: 'failure', id, reason: reasonOf(error) })
  }
  if (call === 'close') parentPort?.close()
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

try {
  const calls = await openStore(workerData as StoreSettings)
  parentPort?.on('message', (message: CallMessage) => void answer(calls, message))
  post({ kind: 'open' })
} catch (error) {
  post({ kind: 'unusable', reason: reasonOf(error) })
}
