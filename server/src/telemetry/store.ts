import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { LabError, type Measurement } from '@community-lab/contract'
import { createAppendGroups, type BlockSource, type SentBlock } from './append-groups.ts'
import { watchDisk } from './disk-watch.ts'
import type { SliceQuota } from './domain/quota.ts'
import type { Keep } from './domain/sealing.ts'
import type { AsideBounds } from './domain/set-aside.ts'
import type {
  AppendOutcome,
  CountRequest,
  CompactionReport,
  DeclareRequest,
  LatestAnswer,
  LatestRequest,
  ParquetRequest,
  RowsAnswer,
  RowsRequest,
  SamplesRequest,
  SpoolStart,
  StoreBounds,
  StoreSettings,
  StreamShape,
} from './store/protocol.ts'
import { startStoreThread } from './store/thread.ts'

/** Options of {@link createTelemetryStore}. */
export interface TelemetryStoreOptions {
  /** The folder of the store. It is created when it does not exist. */
  readonly dir: string
  /**
   * How long samples of slices wait for others to be committed with them, in milliseconds; default 50. Nodes' own measurements wait twenty times as long.
   */
  readonly commitDelayMs?: number
  /** When this many rows wait, they are committed at once; default 20,000. */
  readonly commitRows?: number
  /** The most memory that DuckDB uses, in MiB; default 256. */
  readonly memoryMiB?: number
  /**
   * Default: 256 measurements in a scope; 16 undeclared ones of one node; 256 columns of fields in a measurement, of which the samples of one node may add 32
   * in the scope `node` and 128 in a slice.
   */
  readonly bounds?: Partial<StoreBounds>
  /** Default: 36 million rows and 4 GiB, 10,000 rows a second. */
  readonly quota?: Partial<SliceQuota>
  /**
   * How much is kept in sealed files. Default: 16 GiB of each slice, 64 GiB of what nodes measure of themselves, and no row for longer than 730 days. Beyond that,
   * the oldest rows of the scope that has too many are removed.
   */
  readonly keep?: Partial<Keep>
  /** How many files are kept in `set-aside/`, which the list of sealed files does not have. Default: 10,000 files and 16 GiB. Those that were set aside first go first. */
  readonly aside?: AsideBounds
  /** How often rows of hours that are over move to sealed files, in milliseconds; default 5 minutes. Null: only when `compact` is called. */
  readonly compactEveryMs?: number | null
  /** Called with sentences about the store that an operator should know, such as a sealed file that is missing. */
  onTrouble?(sentence: string): void
  /** The most time for writing one Parquet file, in milliseconds; default ten minutes. */
  readonly exportWithinMs?: number
  /** With less free disk space than this no samples are accepted, so that PostgreSQL can go on; in MiB, default 1024. */
  readonly minFreeMiB?: number
}

/**
 * The store of samples: a DuckDB file that one thread owns, and Parquet files. Each measurement of each scope has a wide table, with one row per sample. Rows of
 * hours that are over and get no more move to Parquet files, sorted by node and time; readers see one table.
 *
 * The last record of each spool is committed together with its rows, so a sample is stored exactly once, no matter when a process is killed and how
 * often a node sends the sample. After a fatal error of DuckDB the file is opened again. Calls that were under way fail, and can be repeated.
 */
export interface TelemetryStore {
  /**
   * Return the last record of a spool that is committed. The node sends the records after it. Records below `firstSeq` that never came are counted in a row of
   * the node's `dropped`.
   */
  begin(start: SpoolStart): Promise<number>
  /** Store samples. Settles after the commit. Calls for one spool are processed in their order. */
  append(request: SamplesRequest): Promise<AppendOutcome>
  /** Store a block of a connection as it came. Its source is told after the commit. Blocks of one spool are processed in their order, and after earlier samples. */
  appendBlock(source: BlockSource, block: SentBlock): void
  /** A node has defined a shape on its connection. It counts for later blocks. */
  defineShape(shape: StreamShape): void
  /** A connection has ended: forget its shapes. Its blocks are stored nevertheless. */
  endStream(stream: number): void
  /**
   * Make the tables of declared measurements, with all their columns, before they have a sample. Returns why that cannot be, in words; null when it is done. A measurement
   * whose table is there gets the columns that it lacks.
   */
  declare(request: DeclareRequest): Promise<string | null>
  /** List every measurement. */
  list(): Promise<readonly Measurement[]>
  rows(request: RowsRequest): Promise<RowsAnswer>
  /** Read the latest row of each node, and of each combination of texts, in a measurement of the scope `node`. */
  latest(request: LatestRequest): Promise<LatestAnswer>
  /** Count the rows of a measurement in a time, with numbers above a given one; 0 when there is no such measurement. */
  count(request: CountRequest): Promise<number>
  /**
   * Write a Parquet file. Returns false when there is no such measurement. `fromUs` is inclusive, `toUs` is exclusive.
   *
   * @throws {@link LabError} LAB_TELEMETRY_BUSY when too many files are being written, LAB_TELEMETRY_DISK_FULL; the signal's reason.
   */
  writeParquet(request: Omit<ParquetRequest, 'id'>, signal?: AbortSignal): Promise<boolean>
  /** Seal, merge and remove what is due at a time (default: now), in milliseconds since the epoch. */
  compact(nowMs?: number): Promise<CompactionReport>
  /** Call back after each commit with the measurements (`<scope>/<name>`) that have new rows. Returns a function that ends this. */
  onLanded(listener: (measurements: ReadonlySet<string>) => void): () => void
  /** Whether the disk has too little space for more samples. */
  readonly isDiskShort: boolean
  /** Call back when {@link isDiskShort} has changed. Returns a function that ends this. */
  onDiskShort(listener: (isShort: boolean) => void): () => void
  /** Check the free space of the disk now. It is also checked every few seconds. */
  checkDisk(): Promise<void>
  /** Return the state of the store for `GET /health`. */
  health(): { readonly ok: boolean; readonly detail?: string }
  [Symbol.asyncDispose](): Promise<void>
}

/** When this many rows of nodes' own measurements wait, they are committed at once. They are few, to leave memory for other rows. */
const maxHealthRows = 1_000
/** The most files that may be written or wait for it. */
const maxExports = 64
const diskCheckMs = 5_000

/**
 * Open the store of samples, or create one.
 *
 * @throws {@link LabError} LAB_TELEMETRY_UNUSABLE when its file is damaged, of a newer version, or held by another process.
 */
export async function createTelemetryStore(
  options: TelemetryStoreOptions,
): Promise<TelemetryStore> {
  const settings: StoreSettings = {
    dir: options.dir,
    memoryMiB: options.memoryMiB ?? 256,
    exportWithinMs: options.exportWithinMs ?? 10 * 60_000,
    bounds: {
      measurementsPerScope: 256,
      undeclaredPerNode: 16,
      fieldsPerMeasurement: 256,
      fieldsPerNode: 32,
      sliceFieldsPerNode: 128,
      spoolsPerNode: 64,
      ...options.bounds,
    },
    keep: {
      ...{ sliceBytes: 16 * 1024 ** 3, sliceDays: 730 },
      ...{ nodeBytes: 64 * 1024 ** 3, nodeDays: 730 },
      ...options.keep,
    },
    aside: options.aside ?? { files: 10_000, bytes: 16 * 1024 ** 3 },
    compactEveryMs: options.compactEveryMs === undefined ? 5 * 60_000 : options.compactEveryMs,
    compactFreeBytes: ((options.minFreeMiB ?? 1024) * 1024 * 1024) / 2,
    quota: { rowsPerHour: 36_000_000, bytesPerHour: 4 * 1024 ** 3, ...options.quota },
  }
  await mkdir(settings.dir, { recursive: true, mode: 0o700 })
  const landedListeners = new Set<(measurements: ReadonlySet<string>) => void>()
  const diskListeners = new Set<(isShort: boolean) => void>()
  const thread = await startStoreThread(settings, {
    onLanded: (measurements) => landedListeners.forEach((listener) => listener(measurements)),
    onTrouble: (sentence) => options.onTrouble?.(sentence),
  })
  const { commitDelayMs = 50, commitRows = 20_000 } = options
  const groups = createAppendGroups({
    delayMs: commitDelayMs,
    healthDelayMs: 20 * commitDelayMs,
    maxRows: commitRows,
    maxHealthRows: Math.min(commitRows, maxHealthRows),
    send: (group) => thread.ask('append', group, [group.memory]),
  })
  const disk = await watchDisk({
    dir: settings.dir,
    minFreeBytes: (options.minFreeMiB ?? 1024) * 1024 * 1024,
    everyMs: diskCheckMs,
    onChange: (isShort) => diskListeners.forEach((listener) => listener(isShort)),
  })
  let exports = 0

  /** A file for a reader must not use up the disk either. */
  function throwIfShort(): void {
    if (disk.shortage !== null)
      throw new LabError('LAB_TELEMETRY_DISK_FULL', { reason: disk.shortage })
  }

  async function writeParquet(
    request: Omit<ParquetRequest, 'id'>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    throwIfShort()
    if (exports >= maxExports) throw new LabError('LAB_TELEMETRY_BUSY', { files: exports })
    const id = randomUUID()
    signal?.throwIfAborted()
    // Cancelling does nothing for an export that has ended, and fails when the thread has ended.
    const cancel = (): void => void thread.ask('cancel', id).catch(() => undefined)
    diskListeners.add(cancel)
    signal?.addEventListener('abort', cancel)
    exports++
    try {
      return await thread.ask('parquet', { ...request, id })
    } catch (error) {
      signal?.throwIfAborted()
      throwIfShort()
      throw error
    } finally {
      exports--
      diskListeners.delete(cancel)
      signal?.removeEventListener('abort', cancel)
    }
  }

  return {
    begin: (start) => thread.ask('begin', start),
    append: (request) => groups.append(request),
    appendBlock: (source, block) => groups.appendBlock(source, block),
    defineShape: (shape) => groups.defineShape(shape),
    endStream: (stream) => groups.endStream(stream),
    declare: (request) => thread.ask('declare', request),
    list: () => thread.ask('list', undefined),
    rows: (request) => thread.ask('rows', request),
    count: (request) => thread.ask('count', request),
    latest: (request) => thread.ask('latest', request),
    writeParquet,
    compact: (nowMs = Date.now()) => thread.ask('compact', nowMs * 1000),
    onLanded(listener) {
      landedListeners.add(listener)
      return () => landedListeners.delete(listener)
    },
    get isDiskShort() {
      return disk.shortage !== null
    },
    onDiskShort(listener) {
      diskListeners.add(listener)
      return () => diskListeners.delete(listener)
    },
    checkDisk: () => disk.check(),
    health() {
      const detail = disk.shortage ?? thread.trouble
      return detail === null ? { ok: true } : { ok: false, detail }
    },
    async [Symbol.asyncDispose]() {
      disk[Symbol.dispose]()
      groups.flush()
      await thread.close()
    },
  }
}
