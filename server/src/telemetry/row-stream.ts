import { once } from 'node:events'
import type { RowBatch } from '@community-lab/contract'
import type { FastifyReply } from 'fastify'
import { beginEventStream } from '../http/streams.ts'
import { measurementKey } from './domain/name.ts'
import type { TelemetryStore } from './store.ts'
import type { RowsRequest } from './store/protocol.ts'

/** Options of {@link streamRows}. */
export interface RowStreamOptions {
  readonly store: TelemetryStore
  /** The first row to send, and the most rows in one event. */
  readonly request: RowsRequest
  /** Aborted when the server stops. */
  readonly signal: AbortSignal
}

/**
 * Send the rows of a measurement as server-sent events until the client disconnects: the present rows, and new ones as they are committed. Each event is a
 * RowBatch, and its id is the last row's `landed`. A measurement that does not exist yet is waited for. Nothing is read ahead for a slow client.
 */
export async function streamRows(
  reply: FastifyReply,
  { store, request, signal: ending }: RowStreamOptions,
): Promise<void> {
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, ending])
  const { raw } = reply
  raw.once('close', () => gone.abort())
  const end = beginEventStream(reply)
  const key = measurementKey(request.scope, request.name)
  let landed = Promise.withResolvers<undefined>()
  const unsubscribe = store.onLanded((measurements) => {
    if (measurements.has(key)) landed.resolve(undefined)
  })
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  let after = request.after
  try {
    while (!signal.aborted) {
      // Renew it before reading, so that rows that are committed from now on are not missed.
      landed = Promise.withResolvers()
      const { batch, readTo } = await store.rows({ ...request, after })
      after = readTo
      if (batch === null) await Promise.race([landed.promise, aborted])
      else if (!raw.write(formatEvent(batch))) await once(raw, 'drain', { signal })
    }
  } catch (error) {
    if (!signal.aborted) reply.log.error({ err: error }, 'stream of rows failed')
  } finally {
    unsubscribe()
    end()
  }
}

function formatEvent(batch: RowBatch): string {
  return `id: ${batch.landed}\ndata: ${JSON.stringify(batch)}\n\n`
}
