import type { SampleRecord, Shape } from '@community-lab/contract'
import type { Sample } from '../sample.ts'

/** Options of {@link Spool.append}. */
export interface AppendOptions {
  /** Values by key to store together with the samples, such as the position in their source; null deletes a key. */
  readonly marks?: Readonly<Record<string, unknown>>
  /** When the spool is full: `count` the samples as dropped (default), or `refuse` them, so that their source keeps them. */
  readonly whenFull?: 'count' | 'refuse'
}

/** Samples in columns, see `stream/block.ts` of the contract. */
export interface StoredBlock {
  readonly firstSeq: number
  readonly rows: number
  /** The shapes to whose places in this list the block refers. Blocks with the same shapes may have the same list. */
  readonly shapes: readonly Shape[]
  readonly bytes: Uint8Array
}

/** The node's samples, on the disk, until the server has them. */
export interface Spool {
  /** A UUID. Together with `seq` it identifies a sample for ever. */
  readonly id: string
  /** The first seq that is not acknowledged; `lastSeq + 1` when there is none. */
  readonly firstSeq: number
  /**
   * The first seq that is still on the disk, acknowledged or not; `lastSeq + 1` when there is none. A server that was restored from a backup gets what is there again.
   */
  readonly keptSeq: number
  /** The last appended seq; 0 when there is none. */
  readonly lastSeq: number
  /** The last seq that survives a power cut. Later samples are not read. */
  readonly syncedSeq: number
  /**
   * Append samples of one source and marks, all or nothing. They survive the end of the process at once, and a power cut after the next sync. Returns false when the spool, or
   * the source's share of it, is full. Marks without samples are refused only if the disk is full, because they replace earlier ones.
   */
  append(samples: readonly Sample[], options?: AppendOptions): boolean
  /** The mark of a key; undefined when there is none. */
  mark(key: string): unknown
  /** Read synced records from a seq on, in order: at most `maxRecords`, and about `maxBytes` (default 512 KiB). Empty when there are none. */
  read(fromSeq: number, maxRecords: number, maxBytes?: number): SampleRecord[]
  /**
   * Read synced blocks, in order, that have records from a seq on: at most `maxRecords` records, and about 512 KiB. The first block may begin before the seq. Empty when there are none, or
   * when the next one has more records.
   */
  readBlocks(fromSeq: number, maxRecords: number): readonly StoredBlock[]
  /** Remove the samples up to a seq, which the server has committed, from the disk, in whole segments. */
  trim(seq: number): void
  /** Tell whether the server has samples of this spool that this spool never sent. Then the spool was restored to an earlier state, or has lost its end. */
  isOutrun(committedSeq: number): boolean
  /**
   * Become a new spool, with a new id and from seq 1, because the server has other samples under the numbers of this one. Samples that the server cannot have are kept: those
   * that were appended since the spool was opened and were not read yet. Marks are kept too.
   */
  renew(): void
  /** Wait until everything that was appended survives a power cut. */
  sync(): Promise<void>
  /** Call the listener when more can be read. Returns the unsubscriber. */
  onAppend(listener: () => void): () => void
  /** Call the listener when there may be room again. Returns the unsubscriber. */
  onTrim(listener: () => void): () => void
  /** Sync and close the files. */
  close(): Promise<void>
}
