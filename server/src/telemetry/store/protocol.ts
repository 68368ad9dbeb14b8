import type { Measurement, RowBatch } from '@community-lab/contract'
import type { SliceQuota } from '../domain/quota.ts'
import type { PlacedSample } from '../domain/sample.ts'

/** How the store is set up. */
export interface StoreSettings {
  /** The store's own folder; made when it is not there. */
  readonly dir: string
  /** The most memory that DuckDB uses, in MiB. */
  readonly memoryMiB: number
  /** How long the writing of one Parquet file may take, in milliseconds. */
  readonly exportWithinMs: number
  readonly bounds: StoreBounds
  readonly quota: SliceQuota
}

/** How many tables and columns programs may bring about. */
export interface StoreBounds {
  /** Measurements in a scope; samples of further ones become rows of `rejected`. */
  readonly measurementsPerScope: number
  /** Measurements of the scope `node` that are not declared and began with a sample of one node; samples of its further ones become rows of `rejected`. */
  readonly undeclaredPerNode: number
  /** Columns of fields in a measurement; further fields go to `overflow`. */
  readonly fieldsPerMeasurement: number
  /** Columns of a measurement of the scope `node` that samples of one node have begun; its further fields go to `overflow`. */
  readonly fieldsPerNode: number
  /** Columns of a measurement of a slice that samples of one node have begun; its further fields go to `overflow`, and `rejected` tells of it. */
  readonly sliceFieldsPerNode: number
}

/** A node's spool. */
export interface SpoolId {
  readonly nodeId: number
  readonly spool: string
}

/** A spool, and the first record that it still holds. */
export interface SpoolStart extends SpoolId {
  /** The node's name. */
  readonly node: string
  readonly firstSeq: number
}

/** Samples of one spool, by rising `seq`. */
export interface AppendRequest extends SpoolId {
  /** The node's name. */
  readonly node: string
  readonly samples: readonly PlacedSample[]
}

/** What became of samples. */
export interface AppendOutcome {
  /** Every record of the spool up to this one is committed. */
  readonly committedSeq: number
  /** The record that is missing, so that nothing from there on was taken; null when none is. */
  readonly missingSeq: number | null
}

/** What became of one request of a group: it was committed, or why not. */
export type AppendResult =
  | { readonly outcome: AppendOutcome; readonly reason?: undefined }
  | { readonly outcome?: undefined; readonly reason: string }

/** A measurement. */
export interface MeasurementId {
  readonly scope: string
  readonly name: string
}

/** Which rows are asked for. */
export interface RowsRequest extends MeasurementId {
  /** Rows that landed after this one. */
  readonly after: number
  /** Keep the rows of this run; null keeps all. */
  readonly run: string | null
  /** At most so many rows. */
  readonly limit: number
}

/** Rows in the order of landing. */
export interface RowsAnswer {
  /** Null when there is none, or no such measurement yet. */
  readonly batch: RowBatch | null
  /** Everything up to here has been looked at: read on after it. */
  readonly readTo: number
}

/** Which rows go into a Parquet file. Times in microseconds since the epoch; null: no limit. */
export interface ParquetRequest extends MeasurementId {
  /** To cancel it by. */
  readonly id: string
  /** Who reads it: readers take turns. */
  readonly reader: string
  /** Whether the reader has no token; the files of those who have one do not wait for the others. */
  readonly isAnonymous: boolean
  readonly run: string | null
  /** The first time kept. */
  readonly fromUs: number | null
  /** The first time no longer kept. */
  readonly toUs: number | null
  /** Rows that landed after this one; 0: all. */
  readonly after: number
  /** Where the file is written. */
  readonly file: string
}

/** What the store's thread does when asked. */
export interface StoreCalls {
  begin(request: SpoolStart): Promise<number>
  /** Commit a group of requests together, one result for each. */
  append(requests: readonly AppendRequest[]): Promise<readonly AppendResult[]>
  list(): Promise<readonly Measurement[]>
  rows(request: RowsRequest): Promise<RowsAnswer>
  /** Whether there is such a measurement, and so a file. */
  parquet(request: ParquetRequest): Promise<boolean>
  /** Give up a file by its request's id. */
  cancel(id: string): Promise<void>
  /** Commit what waits and let go of the file. */
  close(): Promise<void>
}

/** A call on its way to the store's thread. */
export interface CallMessage {
  readonly id: number
  readonly call: keyof StoreCalls
  readonly argument: unknown
}

/** What the store's thread sends: that it is open or cannot open, the end of a call, or that rows have landed. */
export type StoreMessage =
  | { readonly kind: 'open' }
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly reason: string }
  | { readonly kind: 'landed'; readonly measurements: readonly string[] }
