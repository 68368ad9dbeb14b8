import { mkdir } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { LabError, type Measurement } from '@community-lab/contract'
import { storeFile } from './store/database.ts'
import type {
  AppendOutcome,
  AppendRequest,
  CallMessage,
  ParquetRequest,
  RowsAnswer,
  RowsRequest,
  SpoolStart,
  StoreBounds,
  StoreCalls,
  StoreMessage,
  StoreSettings,
} from './store/protocol.ts'

/** Options of {@link createTelemetryStore}. */
export interface TelemetryStoreOptions {
  /** The store's own folder; made when it is not there. */
  readonly dir: string
  /** How long a batch may wait for others to be committed with it, in milliseconds; default 50. */
  readonly commitDelayMs?: number
  /** So many waiting rows are committed without waiting longer; default 20,000. */
  readonly commitRows?: number
  /** The most memory that DuckDB uses, in MiB; default 512. */
  readonly memoryMiB?: number
  /** Default: 256 measurements in a scope, 256 fields in a measurement. */
  readonly bounds?: Partial<StoreBounds>
}

/**
 * The store of samples: a DuckDB file owned by one thread. A wide table for each measurement of each scope, one row for each sample.
 * How far each spool has come is committed together with its rows, so a sample is stored exactly once, whenever a process is killed and however
 * often a node sends it.
 */
export interface TelemetryStore {
  /**
   * The last record of a spool that is committed; send from the next one on. Records below `firstSeq` that never came are counted in a row of the
   * node's `dropped`.
   */
  begin(start: SpoolStart): Promise<number>
  /** Store samples; settles after the commit. Calls for one spool are taken in their order. */
  append(request: AppendRequest): Promise<AppendOutcome>
  /** Every measurement there is. */
  list(): Promise<readonly Measurement[]>
  rows(request: RowsRequest): Promise<RowsAnswer>
  /** Write a Parquet file; false when there is no such measurement. Times: `fromUs` inclusive, `toUs` exclusive. */
  writeParquet(request: ParquetRequest): Promise<boolean>
  /** Call back after each commit with the measurements (`<scope>/<name>`) that have new rows. Returns the unsubscriber. */
  onLanded(listener: (measurements: ReadonlySet<string>) => void): () => void
  /** For `GET /health`. */
  health(): { readonly ok: boolean; readonly detail?: string }
  /** Settles when it has ended unasked, with why; it cannot go on. */
  readonly lost: Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

interface Pending {
  readonly call: keyof StoreCalls
  resolve(result: unknown): void
  reject(error: LabError): void
}

const sentences: Readonly<Record<keyof StoreCalls, string>> = {
  begin: 'find where a spool is',
  append: 'commit samples',
  list: 'list measurements',
  rows: 'read rows',
  parquet: 'write a Parquet file',
  close: 'close',
}

/**
 * Open the store of samples, or begin one.
 *
 * @throws {@link LabError} LAB_TELEMETRY_UNUSABLE when its file is damaged, of another version, or held by another process.
 */
export async function createTelemetryStore(
  options: TelemetryStoreOptions,
): Promise<TelemetryStore> {
  const settings: StoreSettings = {
    dir: options.dir,
    commitDelayMs: options.commitDelayMs ?? 50,
    commitRows: options.commitRows ?? 20_000,
    memoryMiB: options.memoryMiB ?? 512,
    bounds: { measurementsPerScope: 256, fieldsPerMeasurement: 256, ...options.bounds },
  }
  await mkdir(settings.dir, { recursive: true, mode: 0o700 })
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'bundle.js'
  const worker = new Worker(new URL(`./store/worker.${extension}`, import.meta.url), {
    name: 'telemetry',
    workerData: settings,
  })
  const pending = new Map<number, Pending>()
  const listeners = new Set<(measurements: ReadonlySet<string>) => void>()
  const opened = Promise.withResolvers<undefined>()
  const exited = Promise.withResolvers<undefined>()
  const lost = Promise.withResolvers<string>()
  let isClosing = false
  let lastId = 0
  let end: string | null = null
  let commitFailure: string | null = null

  function settle(id: number): Pending | undefined {
    const call = pending.get(id)
    pending.delete(id)
    return call
  }
  function failure(call: keyof StoreCalls, reason: string): LabError {
    return new LabError('LAB_TELEMETRY_FAILED', { what: sentences[call], reason })
  }
  function finish(reason: string): void {
    end ??= reason
    opened.reject(new LabError('LAB_TELEMETRY_UNUSABLE', { file: storeFile(settings.dir), reason }))
    for (const [id, { call, reject }] of [...pending]) {
      pending.delete(id)
      reject(failure(call, end))
    }
  }
  function receive(message: StoreMessage): void {
    switch (message.kind) {
      case 'open':
        opened.resolve(undefined)
        return
      case 'unusable':
        finish(message.reason)
        return
      case 'landed': {
        const measurements = new Set(message.measurements)
        for (const listener of listeners) listener(measurements)
        return
      }
      case 'result': {
        const call = settle(message.id)
        if (call?.call === 'append') commitFailure = null
        call?.resolve(message.result)
        return
      }
      case 'failure': {
        const call = settle(message.id)
        if (call?.call === 'append') commitFailure = message.reason
        call?.reject(failure(call.call, message.reason))
      }
    }
  }
  function ask<C extends keyof StoreCalls>(
    call: C,
    argument: Parameters<StoreCalls[C]>[0],
  ): ReturnType<StoreCalls[C]> {
    const result = new Promise((resolve, reject) => {
      if (end !== null) {
        reject(failure(call, end))
        return
      }
      const message: CallMessage = { id: ++lastId, call, argument }
      pending.set(message.id, { call, resolve, reject })
      worker.postMessage(message)
    })
    // The other end is `worker.ts`, whose answers are typed by StoreCalls.
    return result as ReturnType<StoreCalls[C]>
  }

  worker.on('message', receive)
  worker.once('error', (error) => finish(error instanceof Error ? error.message : String(error)))
  worker.once('exit', () => {
    if (!isClosing) lost.resolve('its thread has ended')
    finish('its thread has ended')
    exited.resolve(undefined)
  })
  await opened.promise

  return {
    begin: (start) => ask('begin', start),
    append: (request) => ask('append', request),
    list: () => ask('list', undefined),
    rows: (request) => ask('rows', request),
    writeParquet: (request) => ask('parquet', request),
    onLanded(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    health() {
      const detail = end ?? commitFailure
      return detail === null ? { ok: true } : { ok: false, detail }
    },
    lost: lost.promise,
    async [Symbol.asyncDispose]() {
      isClosing = true
      if (end === null) await ask('close', undefined)
      await exited.promise
    },
  }
}
