import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** The answers of an app that have no end of their own, such as event streams. */
export interface Streams {
  /** Aborted when the server stops. */
  readonly signal: AbortSignal
  /** Make the server's stop wait for a stream. The stream must end with the signal. */
  track(stream: Promise<void>): Promise<void>
}

/** End an app's streams before its connections are cut, so that readers see a proper end and not a failure. */
export function trackStreams(app: FastifyInstance): Streams {
  const ending = new AbortController()
  const open = new Set<Promise<void>>()
  app.addHook('preClose', async () => {
    ending.abort()
    await Promise.allSettled(open)
  })
  return {
    signal: ending.signal,
    track(stream) {
      open.add(stream)
      return stream.finally(() => open.delete(stream))
    },
  }
}

/** The longest time for which a reader may take no byte while data waits, in milliseconds. */
const stallMs = 60_000

/** End an answer whose reader takes nothing of it for a minute. A slow reader is not affected, because each byte that the network takes counts. */
export function endWhenStalled(response: ServerResponse, withinMs = stallMs): void {
  response.setTimeout(withinMs, () => response.destroy())
}

/** Proxies end silent connections after a minute or less. */
const heartbeatMs = 10_000

/**
 * Answer with a stream of server-sent events, and keep it alive. The reader learns at once that it is connected.
 *
 * @returns a function that ends the stream
 */
export function beginEventStream(reply: FastifyReply): () => void {
  const { raw } = reply
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // The idle connection of a stream that has ended must not delay the stop of the server.
    connection: 'close',
    // nginx and similar proxies must not buffer events.
    'x-accel-buffering': 'no',
  })
  endWhenStalled(raw)
  // A comment. JupyterLab's proxy holds the headers back until a part of the body comes.
  raw.write(': connected\n\n')
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': alive\n\n')
  }, heartbeatMs)
  return () => {
    clearInterval(heartbeat)
    raw.end()
  }
}
