import type { Measurement, RowBatch } from '@community-lab/contract'
import type { DeclaredFields } from '@community-lab/contract/samples'
import type { SliceQuota } from '../domain/quota.ts'
import type { Keep } from '../domain/sealing.ts'
import type { PlacedSample } from '../domain/sample.ts'
import type { PlacedShape } from '../domain/section.ts'
import type { AsideBounds } from '../domain/set-aside.ts'

/** Settings of the store. */
export interface StoreSettings {
  /** The folder of the store. It is created when it does not exist. */
  readonly dir: string
  /** The most memory that DuckDB uses, in MiB. */
  readonly memoryMiB: number
  /** The most time for writing one Parquet file, in milliseconds. */
  readonly exportWithinMs: number
  readonly bounds: StoreBounds
  readonly quota: SliceQuota
  /** How much scopes keep. Then their oldest rows are removed. */
  readonly keep: Keep
  /** How many files are kept that the list of sealed files does not have. */
  readonly aside: AsideBounds
  /** How often rows of hours that are over are sealed, in milliseconds; null: only when {@link StoreCalls.compact} is called. */
  readonly compactEveryMs: number | null
  /** With less free disk space than this nothing is sealed or merged, in bytes. */
  readonly compactFreeBytes: number
}

/** What a compaction has done. */
export interface CompactionReport {
  /** The number of new files with rows of the database, and of those rows. */
  readonly sealed: number
  readonly rows: number
  /** The number of files that were merged into others. */
  readonly merged: number
  /** The number of files that were removed because a scope keeps no more. */
  readonly removed: number
  /** What failed, and is tried again the next time. */
  readonly failures: readonly string[]
}

/** The most tables and columns that programs may create. */
export interface StoreBounds {
  /** The most measurements in a scope. Samples of others become rows of `rejected`. */
  readonly measurementsPerScope: number
  /** The most undeclared measurements of the scope `node` that samples of one node may create. Samples of others become rows of `rejected`. */
  readonly undeclaredPerNode: number
  /** The most columns of fields in a measurement. Further fields go to `overflow`. */
  readonly fieldsPerMeasurement: number
  /** The most columns that samples of one node may add to a measurement of the scope `node`. Further fields go to `overflow`. */
  readonly fieldsPerNode: number
  /** The most columns that samples of one node may add to a measurement of a slice. Further fields go to `overflow`, and a row of `rejected` says so. */
  readonly sliceFieldsPerNode: number
  /** The most spools of one node whose last record is remembered. */
  readonly spoolsPerNode: number
}

/** A node's spool. */
export interface SpoolId {
  readonly nodeId: number
  readonly spool: string
}

/** A spool, and the first record that it still contains. */
export interface SpoolStart extends SpoolId {
  /** The node's name. */
  readonly node: string
  readonly firstSeq: number
}

/** Samples of one spool, in the order of `seq`. */
export interface SamplesRequest extends SpoolId {
  /** The node's name. */
  readonly node: string
  readonly samples: readonly PlacedSample[]
}

/** A block of samples as a node sent it (`@community-lab/contract`, `stream/block.ts`), in the memory of its group. */
export interface BlockPosition {
  readonly firstSeq: number
  readonly rows: number
  /** Where it begins, in bytes: a multiple of eight. */
  readonly at: number
  readonly bytes: number
}

/** Blocks of one spool, in the order of `seq`. */
export interface BlocksRequest extends SpoolId {
  /** The node's name. */
  readonly node: string
  /** The number of the node's connection, to whose shapes the blocks refer. */
  readonly stream: number
  readonly blocks: readonly BlockPosition[]
}

/** Samples of one spool. */
export type AppendRequest = SamplesRequest | BlocksRequest

/** A shape that a node has defined on a connection. */
export interface StreamShape {
  readonly stream: number
  readonly number: number
  readonly shape: PlacedShape
}

/** Requests that are committed together. */
export interface AppendGroup {
  readonly requests: readonly AppendRequest[]
  /** The memory in which their blocks are. */
  readonly memory: ArrayBuffer
  /** The shapes that were defined since the last group. They are known before the requests are read. */
  readonly shapes: readonly StreamShape[]
  /** The connections that have ended since then. Their shapes are forgotten after the requests were read. */
  readonly ended: readonly number[]
}

/** The result of an append. */
export interface AppendOutcome {
  /** All records of the spool up to this one are committed. */
  readonly committedSeq: number
  /** The record that is missing; nothing from it on was accepted. Null when none is missing. */
  readonly missingSeq: number | null
}

/** The result of one request of a group: it was committed, or the reason why not. */
export type AppendResult =
  | { readonly outcome: AppendOutcome; readonly reason?: undefined }
  | { readonly outcome?: undefined; readonly reason: string }

/** Measurements of a scope that are declared before they have a sample. */
export interface DeclareRequest {
  readonly scope: string
  readonly measurements: readonly { readonly name: string; readonly fields: DeclaredFields }[]
}

/** A measurement. */
export interface MeasurementId {
  readonly scope: string
  readonly name: string
}

/** The rows that a reader asks for. */
export interface RowsRequest extends MeasurementId {
  /** Return the rows with numbers above this one. */
  readonly after: number
  /** Return the rows of this run; null: all. */
  readonly run: string | null
  /** The most rows in the answer. */
  readonly limit: number
}

/** Rows in the order of their numbers. */
export interface RowsAnswer {
  /** Null when there are no rows, or no such measurement yet. */
  readonly batch: RowBatch | null
  /** All rows up to this number were read. Continue after it. */
  readonly readTo: number
  /** Whether there are further rows that a request could get now. */
  readonly hasMore: boolean
}

/** The rows of a Parquet file. Times are in microseconds since the epoch; null: no limit. */
export interface ParquetRequest extends MeasurementId {
  /** The id that cancels the request. */
  readonly id: string
  /** The reader. Readers take turns. */
  readonly reader: string
  /** Whether the reader has no token. Files of readers with a token do not wait for those without. */
  readonly isAnonymous: boolean
  readonly run: string | null
  /** The start of the time range, inclusive. */
  readonly fromUs: number | null
  /** The end of the time range, exclusive. */
  readonly toUs: number | null
  /** Write the rows with numbers above this one; 0: all. */
  readonly after: number
  /** Write the rows with numbers up to this one; no limit if it is not given. */
  readonly upTo?: number | null | undefined
  /** Leave out rows that the server had before this time, in microseconds since the epoch, unless their own times are later. */
  readonly sinceUs?: number | null | undefined
  /** The order of the rows: as they landed (the default), or by node and time. */
  readonly order?: 'landed' | 'time' | undefined
  /** The path of the file. */
  readonly file: string
}

/** Rows of a measurement that are to be counted. Times are in microseconds since the epoch. */
export interface CountRequest extends MeasurementId {
  /** Count the rows with numbers above this one. */
  readonly after: number
  /** Inclusive. */
  readonly fromUs: number
  /** Exclusive. */
  readonly toUs: number
}

/** The latest rows of a measurement of the scope `node` that a reader asks for. */
export interface LatestRequest {
  readonly name: string
  /** Leave out rows before this time, in microseconds since the epoch. */
  readonly sinceUs: number
}

/** The latest rows: `node`, `node_id` and the fields of each. */
export interface LatestAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

/** The calls of the store's thread. */
export interface StoreCalls {
  begin(request: SpoolStart): Promise<number>
  /** Commit a group of requests together. Returns one result for each. */
  append(group: AppendGroup): Promise<readonly AppendResult[]>
  /** Make the tables of declared measurements. Returns why that cannot be; null when it is done. */
  declare(request: DeclareRequest): Promise<string | null>
  list(): Promise<readonly Measurement[]>
  rows(request: RowsRequest): Promise<RowsAnswer>
  latest(request: LatestRequest): Promise<LatestAnswer>
  /** Count rows. 0 when there is no such measurement. */
  count(request: CountRequest): Promise<number>
  /** Write a file. Returns false when there is no such measurement, and so no file. */
  parquet(request: ParquetRequest): Promise<boolean>
  /** Cancel a file by the id of its request. */
  cancel(id: string): Promise<void>
  /** Seal, merge and remove what is due at a time, in microseconds since the epoch. */
  compact(nowUs: number): Promise<CompactionReport>
  /** Commit the waiting samples and release the file. */
  close(): Promise<void>
}

/** A call, as it is sent to the store's thread. */
export interface CallMessage {
  readonly id: number
  readonly call: keyof StoreCalls
  readonly argument: unknown
}

/** A message of the store's thread: the store is open or cannot be opened, a call has ended, there are new rows, or a sentence for the log. */
export type StoreMessage =
  | { readonly kind: 'open' }
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly reason: string }
  | { readonly kind: 'landed'; readonly measurements: readonly string[] }
  | { readonly kind: 'trouble'; readonly sentence: string }
