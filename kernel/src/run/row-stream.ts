import { inspect } from 'node:util'
import {
  decodeNumber,
  isExactNumber,
  isReadable,
  LabError,
  path,
  routes,
  RowBatch,
} from '@community-lab/contract'
import { checkArgument, count as aCount } from '../argument.ts'
import { asTable, rowColumns, type Shown } from '../display/table.ts'
import { readEvents } from '../http/event-stream.ts'
import type { Session } from '../session.ts'
import type { Row } from './value.ts'

/** Rows as they land at the server. Each occurs once. */
export interface RowStream<T extends object = Row> extends AsyncIterable<T> {
  /** Wait for the first `count` rows. Returns fewer when the run ends before. */
  take(count: number): Promise<Shown<T>>
}

/** Which rows to read. */
export interface RowSelection {
  readonly scope: string
  readonly name: string
  readonly run?: string
  readonly signal: AbortSignal
}

/** Rows that landed together. */
export interface LandedRows {
  readonly rows: readonly Row[]
  readonly landed: number
}

/**
 * Read the rows of a measurement from the first on, as they land. Waits for a measurement that does not exist yet, and for a server that cannot be reached.
 * Never yields a row twice. Ends by throwing the signal's reason.
 */
export async function* readRows(
  { http }: Session,
  { scope, name, run, signal }: RowSelection,
): AsyncGenerator<LandedRows, never, undefined> {
  let landed = 0
  const events = readEvents(http, path(routes.measurementRows, { scope, name }), {
    after: '0',
    signal,
    ...(run === undefined ? {} : { query: { run } }),
    isPassing: (error) => error.retryable || error.code === 'LAB_MEASUREMENT_UNKNOWN',
  })
  for await (const message of events) {
    if (message.is === 'connected') continue
    const batch: unknown = JSON.parse(message.event.data)
    if (!isReadable(RowBatch, batch) || batch.landed <= landed) continue
    landed = batch.landed
    yield { rows: batch.rows.map((values) => toRow(batch, values)), landed }
  }
  throw new LabError('LAB_INTERNAL', { what: 'a stream without an end has ended' })
}

/** Make a row stream from a source that yields single rows. */
export function rowStream<T extends object>(
  read: () => AsyncGenerator<T, void, undefined>,
): RowStream<T> {
  const stream: RowStream<T> = {
    [Symbol.asyncIterator]: read,
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
      'RowStream: await rows.take(10) waits for the first ten, for await (const row of rows) reads all as they land',
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
