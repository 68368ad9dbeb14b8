import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase, type StoreDatabase } from './database.ts'
import { createExports } from './exports.ts'
import { openIngest } from './ingest.ts'
import type { CallMessage, StoreCalls, StoreMessage, StoreSettings } from './protocol.ts'
import { createQueue } from './queue.ts'
import { describeTable, readRows } from './read.ts'
import { surveyTables } from './survey.ts'

// The store's thread: DuckDB's appender blocks the thread that calls it, and the server's event loop must not be that one.

const settings = workerData as StoreSettings

function post(message: StoreMessage): void {
  parentPort?.postMessage(message)
}

async function openStore(): Promise<StoreCalls> {
  const database = await openDatabase(settings)
  try {
    return await prepareStore(database)
  } catch (error) {
    database.close()
    throw error
  }
}

async function prepareStore(database: StoreDatabase): Promise<StoreCalls> {
  const ingest = await openIngest({
    connection: database.writing,
    settings,
    onLanded: (measurements) => post({ kind: 'landed', measurements }),
  })
  const read = createQueue()
  const survey = createQueue()
  const exports = createExports(database.exporting)
  return {
    begin: (start) => ingest.begin(start),
    append: (request) => ingest.append(request),
    list: () =>
      survey(async () =>
        (await surveyTables(database.surveying, ingest.catalog)).map(describeTable),
      ),
    rows: (request) => read(() => readRows(database.reading, ingest.catalog, request)),
    parquet: (request) => exports.write(ingest.catalog, request),
    cancel: (id) => exports.cancel(id),
    async close() {
      await ingest.close()
      await read(() => Promise.resolve())
      await survey(() => Promise.resolve())
      await exports.close()
      database.close()
    },
  }
}

async function answer(calls: StoreCalls, { id, call, argument }: CallMessage): Promise<void> {
  try {
    // The other end is `thread.ts`, whose calls are typed by StoreCalls.
    const perform = calls[call] as (argument: unknown) => Promise<unknown>
    post({ kind: 'result', id, result: await perform(argument) })
  } catch (error) {
    post({ kind: 'failure', id, reason: reasonOf(error) })
    // DuckDB does nothing more with the file until it is opened again, which replays its log. Only the thread's end lets go of the file surely.
    if (isFatal(error)) {
      post({ kind: 'unusable', reason: reasonOf(error) })
      process.exit(1)
    }
  }
  if (call === 'close') parentPort?.close()
}

/** Source: DuckDB's ErrorManager, "database has been invalidated because of a previous fatal error". */
function isFatal(error: unknown): boolean {
  return /^FATAL Error|database has been invalidated/u.test(reasonOf(error))
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

try {
  const calls = await openStore()
  parentPort?.on('message', (message: CallMessage) => void answer(calls, message))
  post({ kind: 'open' })
} catch (error) {
  post({ kind: 'unusable', reason: reasonOf(error) })
}
