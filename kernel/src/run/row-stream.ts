import { inspect } from 'node:util'
import {
  decodeNumber,
  isExactNumber,
  formatRowCursor,
  firstWriter,
  isBeyond,
  isReadable,
  LabError,
  maybeRowCursor,
  mergeRowCursors,
  path,
  routes,
  RowBatch,
  type RowCursor,
} from '@community-lab/contract'
import { aFunction, checkArgument, count as aCount } from '../argument.ts'
import { asTable, rowColumns, type Shown } from '../display/table.ts'
import { readEvents } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import type { Row } from './value.ts'

/**
 * Rows as they land at the server, from the first on. Each occurs once. Each call, and each `for await`, reads them anew. A reader that is slower than the programs delays
 * nobody, and needs no more memory: what it has not read yet stays at the server.
 */
export interface RowStream<T extends object = Row> extends AsyncIterable<T> {
  /** Call a function with each row, in the order of landing, until the run has ended. When it returns a promise, the next row waits for that. */
  forEach(work: (row: T) => unknown): Promise<void>
  /** Wait until the run has ended. Returns all rows, which must fit into memory. */
  toArray(): Promise<Shown<T>>
  /** Wait for the first `count` rows. Returns fewer when the run ends before. */
  take(count: number): Promise<Shown<T>>
}

/** Which rows to read. */
export interface RowSelection {
  readonly scope: string
  readonly name: string
  readonly run?: string
  /** Read the rows after this cursor, as the server wrote it; default: all. */
  readonly after?: string
  readonly signal: AbortSignal
}

/** Rows that landed together. */
export interface LandedRows {
  readonly rows: readonly Row[]
  /** The number of the last one. */
  readonly landed: number
  /** How far was read, as the server wrote it. */
  readonly cursor: string
}

/**
 * Read the rows of a measurement from the first on, as they land. Waits for a measurement that does not exist yet, and for a server that cannot be reached.
 * Never yields a row twice. Ends by throwing the signal's reason.
 */
export async function* readRows(
  session: Pick<Session, 'http'>,
  selection: RowSelection,
): AsyncGenerator<LandedRows, never, undefined> {
  yield* readBatches(session, selection, {
    query: {},
    isPassing: (error) => error.retryable || error.code === 'LAB_MEASUREMENT_UNKNOWN',
  })
  throw new LabError('LAB_INTERNAL', { what: 'a stream without an end has ended' })
}

/**
 * Read the rows that have landed after the given one, and wait for no others. Only a part of them is in memory at a time, however slowly they are taken.
 */
export function readPresentRows(
  session: Pick<Session, 'http'>,
  selection: RowSelection,
): AsyncGenerator<LandedRows, void, undefined> {
  return readBatches(session, selection, {
    query: { follow: 'false' },
    isPassing: (error) => error.retryable,
  })
}

/** Read rows until the server says that there are no more. */
async function* readBatches(
  { http }: Pick<Session, 'http'>,
  { scope, name, run, after = '0', signal }: RowSelection,
  {
    query,
    isPassing,
  }: {
    readonly query: Readonly<Record<string, string>>
    readonly isPassing: (error: LabError) => boolean
  },
): AsyncGenerator<LandedRows, void, undefined> {
  let read: RowCursor = maybeRowCursor(after) ?? new Map()
  const events = readEvents(http, path(routes.measurementRows, { scope, name }), {
    ...{ after, signal, isPassing },
    query: { ...(run === undefined ? {} : { run }), ...query },
  })
  for await (const message of events) {
    if (message.is === 'connected') continue
    if (message.event.event === 'end') return
    const found = rowsOf(message.event)
    if (found === null) continue
    const cursor = maybeRowCursor(found.cursor) ?? new Map([[firstWriter, found.landed]])
    if (!isBeyond(cursor, read)) continue
    read = mergeRowCursors(read, cursor)
    yield found
  }
}

function rowsOf({
  data,
  id,
}: {
  readonly data: string
  readonly id?: string | undefined
}): LandedRows | null {
  const batch: unknown = JSON.parse(data)
  if (!isReadable(RowBatch, batch)) return null
  const { landed } = batch
  const cursor = id ?? formatRowCursor(new Map([[firstWriter, landed]]))
  return { rows: batch.rows.map((values) => toRow(batch, values)), landed, cursor }
}

/** Make a row stream from a source that yields single rows. */
export function rowStream<T extends object>(
  read: () => AsyncGenerator<T, void, undefined>,
): RowStream<T> {
  const stream: RowStream<T> = {
    [Symbol.asyncIterator]: read,
    async forEach(work) {
      checkArgument('what is called with each row', work, aFunction)
      for await (const row of read()) {
        const working = work(row)
        if (working instanceof Promise) await working
      }
    },
    async toArray() {
      const rows: T[] = []
      for await (const row of read()) rows.push(row)
      return asTable(rows, () => rowColumns(rows))
    },
    async take(count) {
      checkArgument('the count of rows', count, aCount)
      const rows: T[] = []
      if (count > 0)
        for await (const row of read()) {
          rows.push(row)
          if (rows.length >= count) break
        }
      return asTable(rows, () => rowColumns(rows))
    },
  }
  return Object.defineProperty(stream, inspect.custom, {
    value: () =>
      'RowStream: await rows.take(10) waits for the first ten, await rows.forEach((row) => …) reads all as they land',
  })
}

function toRow({ columns, types }: RowBatch, values: readonly unknown[]): Row {
  return Object.fromEntries(
    columns.map((column, index) => [
      column,
      column === 'time' ? toDate(values[index]) : fromWire(values[index], types?.[index]),
    ]),
  )
}

/** NaN, infinities and integers beyond 2^53 are sent as text. A column that has such integers becomes bigints as a whole. */
function fromWire(value: unknown, type: string | undefined): unknown {
  if (type === 'HUGEINT' && Number.isSafeInteger(value)) return BigInt(Number(value))
  return isExactNumber(value) ? decodeNumber(value) : value
}

/** Times are sent as microseconds since the epoch. */
function toDate(value: unknown): unknown {
  return typeof value === 'number' ? new Date(value / 1000) : value
}
