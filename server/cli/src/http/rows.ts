import type { Readable } from 'node:stream'
import { createParser } from 'eventsource-parser'
import { isReadable, LabError, path, routes, RowBatch } from '@community-lab/contract'
import type { Client } from './client.ts'

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>

/** Which rows to read. */
export interface RowsOf {
  /** The scope of the slice's samples. */
  readonly scope: string
  readonly name: string
  readonly run: string
  readonly signal: AbortSignal
}

/**
 * Read the rows of a run that the server has now. A measurement that does not exist has none.
 *
 * @throws {@link LabError} LAB_CONNECTION_FAILED when the server ends before it has sent all; the server's errors.
 */
export async function readRows(
  client: Client,
  { scope, name, run, signal }: RowsOf,
): Promise<readonly Row[]> {
  const url = path(routes.measurementRows, { scope, name })
  const query = new URLSearchParams({ run, follow: 'false', after: '0' })
  const rows: Row[] = []
  const read = { isWhole: false }
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === 'end') read.isWhole = true
      else rows.push(...rowsIn(JSON.parse(data)))
    },
  })
  const stream = await maybeOpen(client, `${url}?${query.toString()}`, signal)
  if (stream === null) return []
  stream.setEncoding('utf8')
  for await (const chunk of stream as AsyncIterable<string>) {
    parser.feed(chunk)
    if (read.isWhole) return rows
  }
  const reason = 'the answer has ended too early'
  throw new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 })
}

async function maybeOpen(
  client: Client,
  url: string,
  signal: AbortSignal,
): Promise<Readable | null> {
  try {
    return await client.events(url, { lastEventId: null, signal })
  } catch (error) {
    if (LabError.is(error, 'LAB_MEASUREMENT_UNKNOWN')) return null
    throw error
  }
}

function rowsIn(batch: unknown): readonly Row[] {
  if (!isReadable(RowBatch, batch)) return []
  return batch.rows.map((values) =>
    Object.fromEntries(batch.columns.map((column, index) => [column, values[index]])),
  )
}
