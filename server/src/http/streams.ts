import type { FastifyInstance } from 'fastify'

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
