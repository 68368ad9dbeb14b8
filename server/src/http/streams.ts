import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** The answers of an app that have no end of their own. */
export interface Streams {
  /** Aborted when the server stops. */
  readonly signal: AbortSignal
  /** Let the server's stop wait for a stream, which must end with the signal. */
  track(stream: Promise<void>): Promise<void>
}

/** End an app's streams properly before its connections are cut, so that readers see an end and not a failure. */
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

/** How long a reader may take nothing while data waits for it, in milliseconds. */
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
 * @returns ends the stream
 */
export function beginEventStream(reply: FastifyReply): () => void {
  const { raw } = reply
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // So that a stopping server is not kept by the idle connection of a stream that has ended.
    connection: 'close',
    // nginx and its like must not keep events back.
    'x-accel-buffering': 'no',
  })
  endWhenStalled(raw)
  // A comment: JupyterLab's proxy holds the headers back until something of the body comes.
  raw.write(': connected\n\n')
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': alive\n\n')
  }, heartbeatMs)
  return () => {
    clearInterval(heartbeat)
    raw.end()
  }
}
