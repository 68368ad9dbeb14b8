import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createQueue, messageOf } from '@community-lab/contract/samples'
import { openDatabase, type StoreDatabase } from './database.ts'
import { createExports, interruptEveryMs } from './exports.ts'
import { isFatal, isOfEngine } from './failure.ts'
import { readLatest } from './latest.ts'
import { openIngest, type Ingest } from './ingest.ts'
import type {
  AppendRequest,
  AppendResult,
  CallMessage,
  StoreCalls,
  StoreMessage,
  StoreSettings,
} from './protocol.ts'
import { describeTable, readRows } from './read.ts'
import { surveyTables } from './survey.ts'

// The store has a thread of its own, because DuckDB's appender blocks the thread that calls it. It must not block the server's event loop.

const settings = workerData as StoreSettings

function post(message: StoreMessage): void {
  parentPort?.postMessage(message)
}

/** The open store. */
interface Store {
  readonly calls: StoreCalls
  /** Interrupt the current work of DuckDB. */
  interrupt(): void
}

async function openStore(): Promise<Store> {
  const database = await openDatabase(settings)
  try {
    return { calls: await prepareStore(database), interrupt: () => database.interrupt() }
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
  const { exportWithinMs } = settings
  const exports = createExports(database.exporting, exportWithinMs)
  const anonymousExports = createExports(database.exportingAnonymous, exportWithinMs)
  return {
    begin: (start) => ingest.begin(start),
    append: (requests) => appendAll(ingest, requests),
    list: () =>
      survey(async () =>
        (await surveyTables(database.surveying, ingest.catalog)).map(describeTable),
      ),
    rows: (request) => read(() => readRows(database.reading, ingest.catalog, request)),
    latest: (request) => survey(() => readLatest(database.surveying, ingest.catalog, request)),
    parquet(request) {
      const { isAnonymous } = request
      return (isAnonymous ? anonymousExports : exports).write(ingest.catalog, request)
    },
    cancel(id) {
      exports.cancel(id)
      anonymousExports.cancel(id)
      return Promise.resolve()
    },
    async close() {
      await ingest.close()
      await read(() => Promise.resolve())
      await survey(() => Promise.resolve())
      await Promise.all([exports.close(), anonymousExports.close()])
      database.close()
    },
  }
}

/** Append the samples of several nodes. A loss of the store is reported after the last of them has ended. */
async function appendAll(
  ingest: Ingest,
  requests: readonly AppendRequest[],
): Promise<readonly AppendResult[]> {
  const appended = requests.map((request) => appendOne(ingest, request))
  await Promise.allSettled(appended)
  return Promise.all(appended)
}

/** Append one request. While the store works, a call that fails does not affect others. */
async function appendOne(ingest: Ingest, request: AppendRequest): Promise<AppendResult> {
  try {
    return { outcome: await ingest.append(request) }
  } catch (error) {
    if (isOfEngine(error)) throw error
    return { reason: messageOf(error) }
  }
}

/** Serve calls until the store is closed or lost. */
function serve({ calls, interrupt }: Store): void {
  const underWay = new Set<Promise<void>>()
  /** The reason why the open file cannot be used any more; null while it can. */
  let loss: string | null = null

  async function answer({ id, call, argument }: CallMessage): Promise<void> {
    try {
      if (loss !== null) throw new Error(loss)
      // The calls come from `thread.ts` and have the types of StoreCalls.
      const perform = calls[call] as (argument: unknown) => Promise<unknown>
      post({ kind: 'result', id, result: await perform(argument) })
    } catch (error) {
      post({ kind: 'failure', id, reason: messageOf(error) })
      const isOfWriter = call === 'append' || call === 'begin'
      if (isFatal(error) || (isOfWriter && isOfEngine(error))) abandon(messageOf(error))
    }
  }

  /**
   * Give up the open file. After a fatal error, DuckDB refuses all work with the file until it is opened again, which replays the log. Only the end of the
   * thread surely releases the file.
   *
   * A thread that ends while DuckDB works would end the whole process, so running calls are interrupted and awaited first.
   */
  function abandon(reason: string): void {
    if (loss !== null) return
    loss = reason
    post({ kind: 'unusable', reason })
    interrupt()
    const again = setInterval(interrupt, interruptEveryMs)
    void Promise.all(underWay).finally(() => {
      clearInterval(again)
      process.exit(1)
    })
  }

  parentPort?.on('message', (message: CallMessage) => {
    const answered = answer(message).finally(() => {
      underWay.delete(answered)
      if (message.call === 'close') parentPort?.close()
    })
    underWay.add(answered)
  })
}

try {
  serve(await openStore())
  post({ kind: 'open' })
} catch (error) {
  post({ kind: 'unusable', reason: messageOf(error) })
}
