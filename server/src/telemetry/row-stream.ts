import { once } from 'node:events'
import { firstWriter, formatRowCursor, type RowCursor } from '@community-lab/contract'
import type { FastifyReply } from 'fastify'
import { beginEventStream } from '../http/streams.ts'
import type { SharedRows } from './shared-rows.ts'
import type { RowsRequest } from './store/protocol.ts'

/** Options of {@link streamRows}. */
export interface RowStreamOptions {
  readonly rows: SharedRows
  /** The rows to send, and the most rows in one event. */
  readonly request: Omit<RowsRequest, 'after'>
  /** What the reader has read. */
  readonly cursor: RowCursor
  /** Whether to wait for further rows. Otherwise an event `end` follows the last present row. */
  readonly follows: boolean
  /** Aborted when the server stops. */
  readonly signal: AbortSignal
}

/**
 * Send the rows of a measurement as server-sent events until the client disconnects: the present rows, and new ones as they are committed. Each event is a
 * RowBatch, and its id is the cursor after it. A measurement that does not exist yet is waited for. Nothing is read ahead for a slow client.
 */
export async function streamRows(
  reply: FastifyReply,
  { rows, request, cursor, follows, signal: ending }: RowStreamOptions,
): Promise<void> {
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, ending])
  const { raw } = reply
  raw.once('close', () => gone.abort())
  const end = beginEventStream(reply)
  let landed = Promise.withResolvers<undefined>()
  const unsubscribe = rows.onLanded(request, () => landed.resolve(undefined))
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const read = new Map(cursor)
  // The server's store is the only writer.
  let after = read.get(firstWriter) ?? 0
  try {
    while (!signal.aborted) {
      // Renew it before reading, so that rows that are committed from now on are not missed.
      landed = Promise.withResolvers()
      const { text, landed: last, readTo, isAll } = await rows.read({ ...request, after })
      after = readTo
      if (text !== null && last !== null) {
        read.set(firstWriter, last)
        const hasRoom = raw.write(`id: ${formatRowCursor(read)}\n${text}`)
        if (!hasRoom) await once(raw, 'drain', { signal })
      }
      if (!isAll) continue
      if (!follows) {
        raw.write('event: end\ndata: {}\n\n')
        break
      }
      await Promise.race([landed.promise, aborted])
    }
  } catch (error) {
    if (!signal.aborted) reply.log.error({ err: error }, 'stream of rows failed')
  } finally {
    unsubscribe()
    end()
  }
}
