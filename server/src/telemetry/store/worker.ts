import { mkdir } from 'node:fs/promises'
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createQueue, messageOf } from '@community-lab/contract/samples'
import type { DuckDBConnection } from '@duckdb/node-api'
import { checkFiles, findDamaged } from './check-files.ts'
import { createCompaction, type Compaction } from './compaction.ts'
import { openDatabase, scratchDir, type StoreDatabase } from './database.ts'
import { countRows } from './count.ts'
import { createExports, interruptEveryMs } from './exports.ts'
import { isFatal, isOfEngine } from './failure.ts'
import { readLatest } from './latest.ts'
import { openIngest, type Ingest } from './ingest.ts'
import type {
  AppendResult,
  CallMessage,
  StoreCalls,
  StoreMessage,
  StoreSettings,
} from './protocol.ts'
import { describeTable, readRows, type Source } from './read.ts'
import { openFileWriter } from './file-writer.ts'
import { allOf, filesOf, relationOf } from './relation.ts'
import { loadSealedFiles, sealedDir } from './sealed-files.ts'
import { createBlockReader, type ReadRequest } from './request.ts'
import { surveyTables } from './survey.ts'

// The store has a thread of its own, because DuckDB's appender blocks the thread that calls it. It must not block the server's event loop.

/** The memory for sorting sealed files, as a share of that for all else, and the least, in MiB. */
const writerShare = 1 / 4
const leastWriterMiB = 48

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
  const { dir, memoryMiB } = settings
  await mkdir(sealedDir(dir), { recursive: true, mode: 0o700 })
  const files = await loadSealedFiles(database.writing, dir)
  const onTrouble = (sentences: readonly string[]): void => {
    for (const sentence of sentences) post({ kind: 'trouble', sentence })
  }
  onTrouble(await checkFiles(dir, files, settings.aside))
  const ingest = await openIngest({
    connection: database.writing,
    settings,
    relation: (table) =>
      relationOf(table, filesOf(files.of(table), allOf), { range: allOf, dir: sealedDir(dir) }),
    async omitDamaged(table) {
      const readable = files.of(table).filter(({ fault }) => fault === null)
      const found = await findDamaged(dir, files, readable)
      onTrouble(found)
      return found.length > 0
    },
    onLanded: (measurements) => post({ kind: 'landed', measurements }),
  })
  const blocks = createBlockReader()
  const read = createQueue()
  const survey = createQueue()
  const { exportWithinMs } = settings
  const from = (connection: DuckDBConnection) => ({ connection, files, dir, onTrouble })
  const exports = createExports(from(database.exporting), exportWithinMs)
  const anonymousExports = createExports(from(database.exportingAnonymous), exportWithinMs)
  const source = (connection: DuckDBConnection): Source => ({
    ...from(connection),
    catalog: ingest.catalog,
  })
  const writer = await openFileWriter({
    memoryMiB: Math.max(leastWriterMiB, Math.floor(memoryMiB * writerShare)),
    dir: sealedDir(dir),
    scratch: scratchDir(dir),
  })
  const compaction = createCompaction({
    ...{ settings, ingest, files, writer, connection: database.compacting },
    onRemoved(measurements, tells) {
      for (const key of measurements) {
        const table = ingest.catalog.tables.get(key)
        if (table !== undefined) table.extent = null
      }
      post({ kind: 'landed', measurements: [tells] })
    },
  })
  const timer = startCompacting(compaction, onTrouble)
  return {
    begin: (start) => ingest.begin(start),
    append: (group) => appendAll(ingest, blocks.read(group)),
    declare: (request) => ingest.declare(request),
    list: () =>
      survey(async () =>
        (await surveyTables(source(database.surveying))).map((table) =>
          describeTable(table, files),
        ),
      ),
    rows: (request) => read(() => readRows(source(database.reading), request)),
    count: (request) => survey(() => countRows(source(database.surveying), request)),
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
    compact: (nowUs) => compaction.run(nowUs),
    async close() {
      clearInterval(timer)
      await compaction.close()
      await ingest.close()
      await read(() => Promise.resolve())
      await survey(() => Promise.resolve())
      await Promise.all([exports.close(), anonymousExports.close()])
      writer.close()
      database.close()
    },
  }
}

/** Compact from time to time. */
function startCompacting(
  compaction: Compaction,
  onTrouble: (sentences: readonly string[]) => void,
): NodeJS.Timeout | undefined {
  if (settings.compactEveryMs === null) return undefined
  return setInterval(() => {
    compaction.run(Date.now() * 1000).then(
      ({ failures }) => onTrouble(failures),
      (error: unknown) => onTrouble([messageOf(error)]),
    )
  }, settings.compactEveryMs)
}

/** Append the samples of several nodes. A loss of the store is reported after the last of them has ended. */
async function appendAll(
  ingest: Ingest,
  requests: readonly (ReadRequest | null)[],
): Promise<readonly AppendResult[]> {
  const appended = requests.map((request) => appendOne(ingest, request))
  await Promise.allSettled(appended)
  return Promise.all(appended)
}

/** Append one request. While the store works, a call that fails does not affect others. */
async function appendOne(ingest: Ingest, request: ReadRequest | null): Promise<AppendResult> {
  if (request === null) return { reason: 'the connection is older than the open file' }
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
