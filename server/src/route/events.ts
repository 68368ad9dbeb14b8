import { once } from 'node:events'
import { routes } from '@community-lab/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Asker } from '../domain/asker.ts'
import { followRoles, getsEventsOf } from '../domain/event-reader.ts'
import { formatCursor, isAfter, maybeCursor, type Cursor } from '../events/cursor.ts'
import type { EventFeed } from '../events/feed.ts'
import { beginEventStream, trackStreams } from '../http/streams.ts'
import type { RouteContext } from './context.ts'

/** The longest life of a stream, so that a forgotten one ends. Its reader continues after its last id. */
const lifeMs = 5 * 60_000

/**
 * Send every change that the reader may see as it happens. `hello` tells a new reader where the stream begins. `change` is a change with its id. `reset` tells a reader whose last id
 * is no longer kept to read everything again.
 */
export function eventRoutes(app: FastifyInstance, { feed }: RouteContext): void {
  const streams = trackStreams(app)
  app.get<{ Querystring: { after?: string } }>(
    routes.events,
    {
      config: { right: 'read the testbed', stream: true },
      schema: {
        tags: ['events'],
        summary:
          'Every change of what the asker may read, as server-sent events, from Last-Event-ID (or ?after=) on',
        produces: ['text/event-stream'],
        querystring: Type.Object({
          after: Type.Optional(
            Type.String({ maxLength: 40, pattern: '^\\d{1,15}(\\.[0-9a-z]{1,12})?$' }),
          ),
        }),
      },
    },
    async (request, reply) => {
      const lastEventId = request.headers['last-event-id'] ?? request.query.after
      const after = typeof lastEventId === 'string' ? maybeCursor(lastEventId) : null
      await streams.track(streamEvents(request, reply, { feed, after, ending: streams.signal }))
    },
  )
}

interface EventStreamOptions {
  readonly feed: EventFeed
  /** The last event that the reader has; null for a new reader. */
  readonly after: Cursor | null
  /** Aborted when the server stops. */
  readonly ending: AbortSignal
}

async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  { feed, after, ending }: EventStreamOptions,
): Promise<void> {
  const { raw } = reply
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, ending, AbortSignal.timeout(lifeMs)])
  raw.once('close', () => gone.abort())
  const { first, last } = await feed.range()
  const isKept = after !== null && (await isKnown(feed, after, { first, last }))
  const newest = last === 0 ? null : await feed.one(last)
  // The roles that the reader has now contain all changes up to the last event. Later events of groups tell of later roles.
  await request.permitAgain()
  let reader: Asker = request.principal
  const end = beginEventStream(reply)
  const write = async (text: string | Buffer): Promise<void> => {
    if (!raw.write(text)) await once(raw, 'drain', { signal })
  }
  const news = createSignal()
  const unsubscribe = feed.onNews(news.raise)
  let sent = isKept ? after.id : last
  try {
    const greeting = after === null ? 'hello' : 'reset'
    if (!isKept) await write(greet(greeting, last, formatCursor(last, newest)))
    for (;;) {
      const events = await feed.after(sent)
      for (const { event, owner, bytes } of events) {
        if (event.id > last) reader = followRoles(reader, event)
        if (getsEventsOf(event.kind, reader, owner)) await write(bytes)
      }
      sent = events.at(-1)?.event.id ?? sent
      if (events.length === 0) await news.wait(signal)
    }
  } catch (error) {
    if (!signal.aborted) reply.log.error({ err: error }, 'event stream failed')
  } finally {
    unsubscribe()
    end()
  }
}

/** Tell whether all events after a reader's last one are kept, and whether that last one is the same event here. */
async function isKnown(
  feed: EventFeed,
  cursor: Cursor,
  { first, last }: { readonly first: number; readonly last: number },
): Promise<boolean> {
  if (cursor.id > last || cursor.id < first - 1) return false
  const event = await feed.one(cursor.id)
  // The event just before the oldest one that is kept cannot be compared any more, so only its number decides.
  return event === null ? cursor.id === first - 1 : isAfter(cursor, event)
}

function greet(event: 'hello' | 'reset', id: number, cursor: string): string {
  return `id: ${cursor}\nevent: ${event}\ndata: ${JSON.stringify({ id })}\n\n`
}

/** A signal that one reader waits for. A signal that comes while the reader does not wait is kept for its next wait. */
function createSignal(): { raise(): void; wait(signal: AbortSignal): Promise<void> } {
  let raised = false
  let wake: (() => void) | null = null
  return {
    raise() {
      raised = true
      wake?.()
    },
    async wait(signal) {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        if (raised) {
          resolve()
          return
        }
        const abort = (): void => reject(signal.reason as Error)
        wake = () => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
        signal.addEventListener('abort', abort, { once: true })
      })
      raised = false
      wake = null
    },
  }
}
